//! Signals of priority (RFC 7540 §5.3, RFC 9218 §7).

use crate::{
    case::{Case, Outcome::*, Verdict::*, steps},
    raw::{Block, Frame, code::*, kind},
};

fn get(stream: u32) -> Frame {
    Frame::headers(stream, Block::get("/")).end_stream()
}

pub(crate) fn cases() -> Vec<Case> {
    [dependencies(), updates()].into_iter().flatten().collect()
}

fn dependencies() -> Vec<Case> {
    vec![
        Case::new(
            "http2/5.3.1/1",
            "RFC 7540 §5.3.1",
            "HEADERS that depends on itself",
            steps![get(1).prioritized(1, false, 256)],
            StreamError(1, PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.3.1/2",
            "RFC 7540 §5.3.1",
            "PRIORITY that depends on itself",
            steps![
                Frame::headers(1, Block::post("/")),
                Frame::priority(1, 1, false, 256)
            ],
            StreamError(1, PROTOCOL_ERROR),
        ),
        Case::new(
            "rfc7540/5.3.3/1",
            "RFC 7540 §5.3.3",
            "a parent made the child of its child",
            steps![
                get(1),
                get(3).prioritized(1, false, 16),
                Frame::priority(1, 3, true, 16)
            ],
            Answered(3, 200),
        ),
        Case::new(
            "rfc7540/5.3.1/1",
            "RFC 7540 §5.3.1",
            "a dependency on a stream that never was",
            steps![get(1).prioritized(0x7fff_ffff, true, 1)],
            Answered(1, 200),
        ),
    ]
}

fn updates() -> Vec<Case> {
    const UNKNOWN: &str = "h2 overlooks PRIORITY_UPDATE, as servers without RFC 9218 have to";
    let update = |id, name, value: &str| {
        Case::new(
            id,
            "RFC 9218 §7.1",
            name,
            steps![get(1), Frame::priority_update(1, value)],
            Answered(1, 200),
        )
    };
    let wrong = |id, name, frame: Frame, code| {
        Case::new(
            id,
            "RFC 9218 §7.1",
            name,
            steps![get(1), frame],
            ConnectionError(code),
        )
        .unless(
            |server| !server.is_ours(),
            Answered(1, 200),
            Allowed(UNKNOWN),
        )
    };
    vec![
        update("rfc9218/7.1/1", "PRIORITY_UPDATE", "u=0, i"),
        update("rfc9218/7.1/2", "an empty PRIORITY_UPDATE", ""),
        update(
            "rfc9218/7.1/3",
            "PRIORITY_UPDATE that is no dictionary",
            "u=7, ,;=",
        ),
        update("rfc9218/7.1/4", "PRIORITY_UPDATE out of range", "u=9, i=2"),
        update(
            "rfc9218/7.1/5",
            "PRIORITY_UPDATE with unknown parameters",
            "u=2, x=\"y\"",
        ),
        Case::new(
            "rfc9218/7.1/6",
            "RFC 9218 §7.1",
            "PRIORITY_UPDATE before its request",
            steps![Frame::priority_update(1, "u=0"), get(1)],
            Answered(1, 200),
        ),
        Case::new(
            "rfc9218/7.1/7",
            "RFC 9218 §7.1",
            "PRIORITY_UPDATE after the response",
            steps![
                get(1),
                crate::case::Awaited::End(1),
                Frame::priority_update(1, "u=0")
            ],
            Answered(1, 200),
        ),
        wrong(
            "rfc9218/7.1/8",
            "PRIORITY_UPDATE on a stream",
            Frame::new(kind::PRIORITY_UPDATE, 1, *b"\0\0\0\x01u=0"),
            PROTOCOL_ERROR,
        ),
        wrong(
            "rfc9218/7.1/9",
            "PRIORITY_UPDATE for stream 0",
            Frame::priority_update(0, "u=0"),
            PROTOCOL_ERROR,
        ),
        wrong(
            "rfc9218/7.1/10",
            "PRIORITY_UPDATE for a push that was not promised",
            Frame::priority_update(2, "u=0"),
            PROTOCOL_ERROR,
        ),
        wrong(
            "rfc9218/7.1/11",
            "PRIORITY_UPDATE of 3 bytes",
            Frame::new(kind::PRIORITY_UPDATE, 0, [0, 0, 1]),
            FRAME_SIZE_ERROR,
        ),
        Case::new(
            "rfc9218/5/1",
            "RFC 9218 §5",
            "a priority header that cannot be read",
            steps![Frame::headers(1, Block::get("/").field("priority", "u=;;i=?7")).end_stream()],
            Answered(1, 200),
        ),
    ]
}
