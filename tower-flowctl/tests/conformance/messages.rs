//! Malformed requests (RFC 9113 §8).

use crate::{
    case::{Case, Outcome::*, Verdict::*, steps},
    raw::{Block, Frame, code::*, kind},
};

fn pseudo(fields: &[(&str, &str)]) -> Block {
    let all = Block::new();
    fields
        .iter()
        .fold(all, |block, (name, value)| block.field(name, value))
}

pub(crate) fn cases() -> Vec<Case> {
    [requests(), bodies(), connect()]
        .into_iter()
        .flatten()
        .collect()
}

fn requests() -> Vec<Case> {
    const NAME: &str =
        "h2 takes a name it cannot read for a fault of the block, and closes the connection";
    let malformed = |id, section, name, block: Block| {
        Case::new(
            id,
            section,
            name,
            steps![Frame::headers(1, block).end_stream()],
            StreamError(1, PROTOCOL_ERROR),
        )
    };
    let get = || Block::get("/");
    let method = (":method", "GET");
    let scheme = (":scheme", "http");
    let path = (":path", "/");
    let authority = (":authority", "localhost");
    vec![
        malformed(
            "http2/8.1.2/1",
            "RFC 9113 §8.2.1",
            "a name with upper-case letters",
            get().field("X-TEST", "ok"),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Allowed(NAME)),
        malformed(
            "http2/8.1.2.1/1",
            "RFC 9113 §8.3",
            "an unknown pseudo-header field",
            get().field(":test", "ok"),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Allowed(NAME)),
        malformed(
            "http2/8.1.2.1/2",
            "RFC 9113 §8.3",
            "a pseudo-header field of responses",
            get().field(":status", "200"),
        ),
        Case::new(
            "http2/8.1.2.1/3",
            "RFC 9113 §8.1",
            "a pseudo-header field in trailers",
            steps![
                Frame::headers(1, Block::post("/")),
                Frame::data(1, *b"test"),
                Frame::headers(1, Block::new().field(":method", "POST"))
            ],
            StreamError(1, PROTOCOL_ERROR),
        ),
        Case::new(
            "rfc9113/8.1/1",
            "RFC 9113 §8.1",
            "a pseudo-header field in trailers that end the stream",
            steps![
                Frame::headers(1, Block::post("/")),
                Frame::data(1, *b"test"),
                Frame::headers(1, Block::new().field(":method", "POST")).end_stream()
            ],
            StreamError(1, PROTOCOL_ERROR),
        )
        .h2(Answered(1, 200), Wrong(
            "h2 drops the field; h2spec does not see it, for its trailers are malformed without END_STREAM, too",
        )),
        malformed(
            "http2/8.1.2.1/4",
            "RFC 9113 §8.3",
            "a pseudo-header field after another",
            pseudo(&[method, scheme, path, ("x-test", "ok"), authority]),
        ),
        malformed(
            "http2/8.1.2.2/1",
            "RFC 9113 §8.2.2",
            "a field of the connection",
            get().field("connection", "keep-alive"),
        ),
        malformed(
            "http2/8.1.2.2/2",
            "RFC 9113 §8.2.2",
            "TE other than trailers",
            get().field("te", "trailers, deflate"),
        ),
        malformed(
            "http2/8.1.2.3/1",
            "RFC 9113 §8.3.1",
            "an empty :path",
            pseudo(&[method, scheme, authority, (":path", "")]),
        ),
        malformed(
            "http2/8.1.2.3/2",
            "RFC 9113 §8.3.1",
            "no :method",
            pseudo(&[scheme, path, authority]),
        ),
        malformed(
            "http2/8.1.2.3/3",
            "RFC 9113 §8.3.1",
            "no :scheme",
            pseudo(&[method, path, authority]),
        ),
        malformed(
            "http2/8.1.2.3/4",
            "RFC 9113 §8.3.1",
            "no :path",
            pseudo(&[method, scheme, authority]),
        ),
        malformed(
            "http2/8.1.2.3/5",
            "RFC 9113 §8.3",
            "two :method",
            pseudo(&[method, method, scheme, path, authority]),
        ),
        malformed(
            "http2/8.1.2.3/6",
            "RFC 9113 §8.3",
            "two :scheme",
            pseudo(&[method, scheme, scheme, path, authority]),
        ),
        malformed(
            "http2/8.1.2.3/7",
            "RFC 9113 §8.3",
            "two :path",
            pseudo(&[method, scheme, path, path, authority]),
        ),
        malformed(
            "rfc9113/8.2.1/1",
            "RFC 9113 §8.2.1",
            "a value with a line feed",
            get().field("x-test", "a\nb"),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Allowed(NAME)),
        malformed(
            "rfc9113/8.2.1/2",
            "RFC 9113 §8.2.1",
            "an empty name",
            get().field("", "value"),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Allowed(NAME)),
        Case::new(
            "rfc9113/8.2.2/1",
            "RFC 9113 §8.2.2",
            "TE: trailers",
            steps![Frame::headers(1, get().field("te", "trailers")).end_stream()],
            Answered(1, 200),
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let post = || Frame::headers(1, Block::post("/").field("content-length", "1"));
    let malformed = |id, name, steps| {
        Case::new(
            id,
            "RFC 9113 §8.1.1",
            name,
            steps,
            StreamError(1, PROTOCOL_ERROR),
        )
    };
    vec![
        Case::new(
            "http2/8.1/1",
            "RFC 9113 §8.1",
            "trailers without END_STREAM",
            steps![
                Frame::headers(1, Block::post("/")),
                Frame::data(1, *b"test"),
                Frame::headers(1, Block::new().field("x-test", "ok"))
            ],
            StreamError(1, PROTOCOL_ERROR),
        ),
        malformed(
            "http2/8.1.2.6/1",
            "more DATA than content-length",
            steps![post(), Frame::data(1, *b"test").end_stream()],
        ),
        malformed(
            "http2/8.1.2.6/2",
            "more DATA than content-length, in several frames",
            steps![
                post(),
                Frame::data(1, *b"test"),
                Frame::data(1, *b"test").end_stream()
            ],
        ),
        malformed(
            "rfc9113/8.1.1/1",
            "less DATA than content-length",
            steps![post(), Frame::data(1, *b"").end_stream()],
        ),
        malformed(
            "rfc9113/8.1.1/2",
            "content-length without DATA",
            steps![post().end_stream()],
        ),
        Case::new(
            "rfc9113/8.1.1/3",
            "RFC 9113 §8.1.1",
            "content-length that is met, with padding",
            steps![post(), Frame::data(1, *b"t").padded(9).end_stream()],
            Answered(1, 200),
        ),
        Case::new(
            "http2/8.2/1",
            "RFC 9113 §8.4",
            "PUSH_PROMISE",
            steps![
                Frame::headers(1, Block::post("/")),
                Frame::new(
                    kind::PUSH_PROMISE,
                    1,
                    [&[0, 0, 0, 3], Block::get("/").0.as_slice()].concat()
                )
                .end_headers()
            ],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ]
}

fn connect() -> Vec<Case> {
    let malformed = |id, section, name, fields: &[(&str, &str)]| {
        Case::new(
            id,
            section,
            name,
            steps![Frame::headers(1, pseudo(fields))],
            StreamError(1, PROTOCOL_ERROR),
        )
    };
    vec![
        malformed(
            "rfc9113/8.5/1",
            "RFC 9113 §8.5",
            "CONNECT with :path and :scheme",
            &[
                (":method", "CONNECT"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "localhost:1"),
            ],
        ),
        malformed(
            "rfc8441/4/1",
            "RFC 8441 §4",
            ":protocol without CONNECT",
            &[
                (":method", "GET"),
                (":protocol", "websocket"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "localhost"),
            ],
        ),
    ]
}
