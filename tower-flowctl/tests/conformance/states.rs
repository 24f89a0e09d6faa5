//! Frames that a stream is in no state for (RFC 9113 §5).

use crate::{
    case::{Awaited, Case, Outcome::*, Verdict::*, steps},
    frames::{get, more, post},
    raw::{Frame, code::*, kind, setting::*},
};

pub(crate) fn cases() -> Vec<Case> {
    [states(), identifiers()].into_iter().flatten().collect()
}

fn states() -> Vec<Case> {
    const FORGOTTEN: &str =
        "h2 forgets a stream that ended, and takes its number for one that was skipped";
    const HALF_CLOSED: &str =
        "h2 closes the connection, which §5.4.2 allows, with PROTOCOL_ERROR for STREAM_CLOSED";
    vec![
        Case::new(
            "http2/5.1/1",
            "RFC 9113 §5.1",
            "idle: DATA",
            steps![Frame::data(1, *b"test").end_stream()],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.1/2",
            "RFC 9113 §5.1",
            "idle: RST_STREAM",
            steps![Frame::reset(1, CANCEL)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.1/3",
            "RFC 9113 §5.1",
            "idle: WINDOW_UPDATE",
            steps![Frame::window_update(1, 100)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.1/4",
            "RFC 9113 §5.1",
            "idle: CONTINUATION",
            steps![more(1).end_headers()],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.1/5",
            "RFC 9113 §5.1",
            "half-closed: DATA",
            steps![get(1), Frame::data(1, *b"test").end_stream()],
            StreamError(1, STREAM_CLOSED),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(HALF_CLOSED)),
        Case::new(
            "http2/5.1/6",
            "RFC 9113 §5.1",
            "half-closed: HEADERS",
            steps![get(1), get(1)],
            StreamError(1, STREAM_CLOSED),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(HALF_CLOSED)),
        Case::new(
            "http2/5.1/7",
            "RFC 9113 §6.10",
            "half-closed: CONTINUATION",
            steps![get(1), more(1).end_headers()],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.1/8",
            "RFC 9113 §5.1",
            "reset by the client: DATA",
            steps![
                post(1),
                Frame::reset(1, CANCEL),
                Frame::data(1, *b"test").end_stream()
            ],
            StreamError(1, STREAM_CLOSED),
        ),
        Case::new(
            "http2/5.1/9",
            "RFC 9113 §5.1",
            "reset by the client: HEADERS",
            steps![post(1), Frame::reset(1, CANCEL), get(1)],
            StreamError(1, STREAM_CLOSED),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(FORGOTTEN)),
        Case::new(
            "http2/5.1/10",
            "RFC 9113 §6.10",
            "reset by the client: CONTINUATION",
            steps![post(1), Frame::reset(1, CANCEL), more(1).end_headers()],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.1/11",
            "RFC 9113 §5.1",
            "ended: DATA",
            steps![
                get(1),
                Awaited::End(1),
                Frame::data(1, *b"test").end_stream()
            ],
            StreamError(1, STREAM_CLOSED),
        ),
        Case::new(
            "http2/5.1/12",
            "RFC 9113 §5.1",
            "ended: HEADERS",
            steps![get(1), Awaited::End(1), get(1)],
            ConnectionError(STREAM_CLOSED),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(FORGOTTEN)),
        Case::new(
            "http2/5.1/13",
            "RFC 9113 §6.10",
            "ended: CONTINUATION",
            steps![get(1), Awaited::End(1), more(1).end_headers()],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ]
}

fn identifiers() -> Vec<Case> {
    let mut too_many: Vec<_> = (0..=200).map(|n| get(2 * n + 1)).collect();
    too_many.insert(0, Frame::settings(&[(INITIAL_WINDOW_SIZE, 0)]));
    vec![
        Case::new(
            "http2/5.1.1/1",
            "RFC 9113 §5.1.1",
            "an even stream",
            steps![get(2)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.1.1/2",
            "RFC 9113 §5.1.1",
            "a stream lower than the last",
            steps![get(5), get(3)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.1.2/1",
            "RFC 9113 §5.1.2",
            "more streams than SETTINGS_MAX_CONCURRENT_STREAMS",
            too_many.into_iter().map(Into::into).collect(),
            StreamError(401, REFUSED_STREAM),
        ),
        Case::new(
            "http2/5.4.1/1",
            "RFC 9113 §5.4.1",
            "a connection error ends the connection",
            steps![Frame::new(kind::PING, 3, [0; 8])],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/5.4.1/2",
            "RFC 9113 §5.4.1",
            "a connection error is said by GOAWAY",
            steps![get(1), Awaited::End(1), Frame::new(kind::PING, 3, [0; 8])],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ]
}
