//! What a server has to overlook (RFC 9113 §4.1 and §5.5).

use crate::{
    case::{Case, Outcome::*, steps},
    raw::{Block, Frame, code::*, kind},
};

pub(crate) fn cases() -> Vec<Case> {
    let ping = || Frame::ping(*b"12345678");
    let pong = || Pong(*b"12345678");
    vec![
        Case::new(
            "http2/4.1/1",
            "RFC 9113 §4.1",
            "a frame of unknown type",
            steps![Frame::new(0xff, 0, [0; 8]), ping()],
            pong(),
        ),
        Case::new(
            "http2/4.1/2",
            "RFC 9113 §4.1",
            "flags without meaning",
            steps![ping().flag(0x16)],
            pong(),
        ),
        Case::new(
            "http2/4.1/3",
            "RFC 9113 §4.1",
            "the reserved bit",
            steps![Frame::new(kind::PING, 1 << 31, *b"12345678")],
            pong(),
        ),
        Case::new(
            "http2/5.5/1",
            "RFC 9113 §5.5",
            "an extension frame",
            steps![Frame::new(0x16, 0, *b"12345678"), ping()],
            pong(),
        ),
        Case::new(
            "http2/5.5/2",
            "RFC 9113 §5.5",
            "an extension frame within a block",
            steps![
                Frame::headers(1, Block::get("/")).end_stream().unfinished(),
                Frame::new(0x16, 0, *b"12345678"),
                Frame::continuation(1, Block::new()).end_headers()
            ],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "rfc9113/5.5/1",
            "RFC 9113 §5.5",
            "a large extension frame on a stream, between its frames",
            steps![
                Frame::headers(1, Block::post("/")),
                Frame::new(0x16, 1, [0; 16384]),
                Frame::data(1, *b"test").end_stream()
            ],
            Answered(1, 200),
        ),
        Case::new(
            "rfc9113/5.5/2",
            "RFC 9113 §5.5",
            "an extension frame larger than SETTINGS_MAX_FRAME_SIZE",
            steps![Frame::new(0x16, 0, [0; 16385])],
            ConnectionError(FRAME_SIZE_ERROR),
        ),
    ]
}
