//! Frames that are wrong, or at the wrong time (RFC 9113 §3, §4, §6.1 to §6.4, and §7).

use crate::{
    case::{Case, Outcome::*, Verdict::*, steps},
    hpack::ONE_CODE,
    raw::{Block, Frame, code::*, kind, setting::*},
};

/// RFC 9113 §5.4.2 lets an endpoint take a stream error for a connection error.
pub(crate) const CONNECTION: &str = "a stream error may be taken for a connection error";

/// h2 has one error for frames that cannot be parsed.
pub(crate) const ONE_FRAME_CODE: &str =
    "h2 closes the connection as asked, but reports all faults of a frame as PROTOCOL_ERROR";

pub(crate) fn get(stream: u32) -> Frame {
    Frame::headers(stream, Block::get("/")).end_stream()
}

pub(crate) fn post(stream: u32) -> Frame {
    Frame::headers(stream, Block::post("/"))
}

/// HEADERS whose block goes on.
fn begun(stream: u32) -> Frame {
    post(stream).unfinished()
}

pub(crate) fn more(stream: u32) -> Frame {
    Frame::continuation(stream, Block::new().field("x-dummy", "yes"))
}

pub(crate) fn cases() -> Vec<Case> {
    [
        starting(),
        sizes(),
        blocks(),
        data_and_headers(),
        resets(),
        codes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn starting() -> Vec<Case> {
    vec![
        Case::new(
            "http2/3.5/1",
            "RFC 9113 §3.4",
            "the server's first frame is SETTINGS",
            steps![
                crate::raw::PREFACE,
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 65535)])
            ],
            Greeted,
        )
        .without_handshake(),
        Case::new(
            "http2/3.5/2",
            "RFC 9113 §3.4",
            "an invalid preface ends the connection",
            steps![b"INVALID CONNECTION PREFACE\r\n\r\n".as_slice()],
            Closed,
        )
        .without_handshake(),
    ]
}

fn sizes() -> Vec<Case> {
    vec![
        Case::new(
            "http2/4.2/1",
            "RFC 9113 §4.2",
            "DATA of 16,384 bytes",
            steps![post(1), Frame::data(1, [0; 16384]).end_stream()],
            Answered(1, 200),
        ),
        Case::new(
            "http2/4.2/2",
            "RFC 9113 §4.2",
            "DATA larger than SETTINGS_MAX_FRAME_SIZE",
            steps![post(1), Frame::data(1, [0; 16385]).end_stream()],
            StreamError(1, FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(FRAME_SIZE_ERROR), Allowed(CONNECTION)),
        Case::new(
            "http2/4.2/3",
            "RFC 9113 §4.2",
            "HEADERS larger than SETTINGS_MAX_FRAME_SIZE",
            steps![Frame::headers(1, Block::get("/").field("x", &"x".repeat(16384))).end_stream()],
            ConnectionError(FRAME_SIZE_ERROR),
        ),
    ]
}

fn blocks() -> Vec<Case> {
    vec![
        Case::new(
            "http2/4.3/1",
            "RFC 9113 §4.3",
            "a block that ends within a field",
            steps![Frame::headers(1, b"\x40").end_stream()],
            ConnectionError(COMPRESSION_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_CODE)),
        Case::new(
            "http2/4.3/2",
            "RFC 9113 §4.3",
            "PRIORITY within a block",
            steps![
                begun(1),
                Frame::priority(1, 0, false, 256),
                more(1).end_headers()
            ],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/4.3/3",
            "RFC 9113 §4.3",
            "HEADERS of another stream within a block",
            steps![begun(1), get(3), more(1).end_headers()],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ]
}

fn data_and_headers() -> Vec<Case> {
    let block = Block::get("/");
    let length = block.0.len();
    let mut padded = Frame::headers(1, block).end_stream().padded(0);
    padded.payload[0] = u8::try_from(length + 1).unwrap();
    let mut data = Frame::data(1, *b"test").padded(0).end_stream();
    data.payload[0] = 5;
    vec![
        Case::new(
            "http2/6.1/1",
            "RFC 9113 §6.1",
            "DATA on stream 0",
            steps![Frame::data(0, *b"test").end_stream()],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.1/2",
            "RFC 9113 §6.1",
            "DATA on a stream that is not open",
            steps![get(1), Frame::data(1, *b"test").end_stream()],
            StreamError(1, STREAM_CLOSED),
        )
        .h2(
            ConnectionError(PROTOCOL_ERROR),
            Wrong("as http2/5.1/5, by another section"),
        ),
        Case::new(
            "http2/6.1/3",
            "RFC 9113 §6.1",
            "DATA padded beyond its length",
            steps![post(1), data],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.2/1",
            "RFC 9113 §6.2",
            "HEADERS without END_HEADERS, then PRIORITY",
            steps![
                begun(1),
                Frame::priority(1, 0, false, 256),
                more(1).end_headers()
            ],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.2/2",
            "RFC 9113 §6.2",
            "HEADERS without END_HEADERS, then HEADERS of another stream",
            steps![begun(1), get(3), more(1).end_headers()],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.2/3",
            "RFC 9113 §6.2",
            "HEADERS on stream 0",
            steps![get(0)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.2/4",
            "RFC 9113 §6.2",
            "HEADERS padded beyond its length",
            steps![padded],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "rfc9113/6.2/1",
            "RFC 9113 §6.2",
            "HEADERS padded, and empty",
            steps![Frame::new(kind::HEADERS, 1, *b"").flag(0x0d)],
            ConnectionError(FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
        Case::new(
            "rfc9113/6.2/2",
            "RFC 9113 §6.2",
            "HEADERS too short for its priority",
            steps![Frame::new(kind::HEADERS, 1, *b"\0\0\0").flag(0x25)],
            ConnectionError(FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
    ]
}

fn resets() -> Vec<Case> {
    vec![
        Case::new(
            "http2/6.3/1",
            "RFC 9113 §6.3",
            "PRIORITY on stream 0",
            steps![Frame::priority(0, 1, false, 256)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.3/2",
            "RFC 9113 §6.3",
            "PRIORITY of 4 bytes",
            steps![post(1), Frame::new(kind::PRIORITY, 1, [0; 4])],
            StreamError(1, FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
        Case::new(
            "http2/6.4/1",
            "RFC 9113 §6.4",
            "RST_STREAM on stream 0",
            steps![Frame::reset(0, CANCEL)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.4/2",
            "RFC 9113 §6.4",
            "RST_STREAM on an idle stream",
            steps![Frame::reset(1, CANCEL)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.4/3",
            "RFC 9113 §6.4",
            "RST_STREAM of 3 bytes",
            steps![post(1), Frame::new(kind::RST_STREAM, 1, [0; 3])],
            ConnectionError(FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
    ]
}

fn codes() -> Vec<Case> {
    vec![
        Case::new(
            "http2/7/1",
            "RFC 9113 §7",
            "GOAWAY with an unknown code",
            steps![Frame::go_away(0, 0xff)],
            Closed,
        ),
        Case::new(
            "http2/7/2",
            "RFC 9113 §7",
            "RST_STREAM with an unknown code",
            steps![post(1), Frame::reset(1, 0xff)],
            Nothing,
        ),
    ]
}
