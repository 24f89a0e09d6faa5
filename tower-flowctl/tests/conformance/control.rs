//! SETTINGS, PING, GOAWAY, WINDOW_UPDATE and CONTINUATION (RFC 9113 §6.5 to §6.10).

use crate::{
    case::{Awaited, Case, Outcome::*, Verdict::*, steps},
    frames::{CONNECTION, ONE_FRAME_CODE, get, more, post},
    raw::{Block, Frame, code::*, kind, setting::*},
    run::BODY,
};

const MOST: u32 = 0x7fff_ffff;

pub(crate) fn cases() -> Vec<Case> {
    [settings(), pings_and_go_away(), windows(), continuations()]
        .into_iter()
        .flatten()
        .collect()
}

fn settings() -> Vec<Case> {
    let one = |id, name, setting, value, code| {
        Case::new(
            id,
            "RFC 9113 §6.5.2",
            name,
            steps![Frame::settings(&[(setting, value)])],
            ConnectionError(code),
        )
    };
    vec![
        Case::new(
            "http2/6.5/1",
            "RFC 9113 §6.5",
            "SETTINGS with ACK and a payload",
            steps![Frame::new(kind::SETTINGS, 0, [0]).flag(0x1)],
            ConnectionError(FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
        Case::new(
            "http2/6.5/2",
            "RFC 9113 §6.5",
            "SETTINGS on stream 1",
            steps![Frame::new(kind::SETTINGS, 1, [0, 3, 0, 0, 0, 1])],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.5/3",
            "RFC 9113 §6.5",
            "SETTINGS of 3 bytes",
            steps![Frame::new(kind::SETTINGS, 0, [0, 3, 0])],
            ConnectionError(FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
        one(
            "http2/6.5.2/1",
            "SETTINGS_ENABLE_PUSH of 2",
            ENABLE_PUSH,
            2,
            PROTOCOL_ERROR,
        ),
        one(
            "http2/6.5.2/2",
            "SETTINGS_INITIAL_WINDOW_SIZE of 2^31",
            INITIAL_WINDOW_SIZE,
            1 << 31,
            FLOW_CONTROL_ERROR,
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
        one(
            "http2/6.5.2/3",
            "SETTINGS_MAX_FRAME_SIZE of 16,383",
            MAX_FRAME_SIZE,
            16383,
            PROTOCOL_ERROR,
        ),
        one(
            "http2/6.5.2/4",
            "SETTINGS_MAX_FRAME_SIZE of 2^24",
            MAX_FRAME_SIZE,
            1 << 24,
            PROTOCOL_ERROR,
        ),
        Case::new(
            "http2/6.5.2/5",
            "RFC 9113 §6.5.2",
            "an unknown setting",
            steps![Frame::settings(&[(0xff, 1)])],
            Acknowledged(2),
        ),
        Case::new(
            "http2/6.5.3/1",
            "RFC 9113 §6.5.3",
            "of two values of a setting the last counts",
            steps![
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)]),
                Awaited::SettingsAck,
                get(1)
            ],
            Data(vec![1]),
        ),
        Case::new(
            "http2/6.5.3/2",
            "RFC 9113 §6.5.3",
            "SETTINGS is acknowledged",
            steps![Frame::settings(&[(ENABLE_PUSH, 0)])],
            Acknowledged(2),
        ),
    ]
}

fn pings_and_go_away() -> Vec<Case> {
    vec![
        Case::new(
            "http2/6.7/1",
            "RFC 9113 §6.7",
            "PING comes back with its payload",
            steps![Frame::ping(*b"h2spec!!")],
            Pong(*b"h2spec!!"),
        ),
        Case::new(
            "http2/6.7/2",
            "RFC 9113 §6.7",
            "PING with ACK does not come back",
            steps![
                Frame::ping(*b"unasked!").flag(0x1),
                Frame::ping(*b"the one!")
            ],
            Pong(*b"the one!"),
        ),
        Case::new(
            "http2/6.7/3",
            "RFC 9113 §6.7",
            "PING on stream 1",
            steps![Frame::new(kind::PING, 1, [0; 8])],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.7/4",
            "RFC 9113 §6.7",
            "PING of 6 bytes",
            steps![Frame::new(kind::PING, 0, [0; 6])],
            ConnectionError(FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
        Case::new(
            "http2/6.8/1",
            "RFC 9113 §6.8",
            "GOAWAY on stream 1",
            steps![Frame::new(kind::GOAWAY, 1, [0; 8])],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ]
}

fn windows() -> Vec<Case> {
    vec![
        Case::new(
            "http2/6.9/1",
            "RFC 9113 §6.9",
            "WINDOW_UPDATE by 0 for the connection",
            steps![Frame::window_update(0, 0)],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.9/2",
            "RFC 9113 §6.9",
            "WINDOW_UPDATE by 0 for a stream",
            steps![post(1), Frame::window_update(1, 0)],
            StreamError(1, PROTOCOL_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Allowed(CONNECTION)),
        Case::new(
            "http2/6.9/3",
            "RFC 9113 §6.9",
            "WINDOW_UPDATE of 3 bytes",
            steps![Frame::new(kind::WINDOW_UPDATE, 0, [0, 0, 1])],
            ConnectionError(FRAME_SIZE_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
        Case::new(
            "http2/6.9.1/1",
            "RFC 9113 §6.9.1",
            "no more DATA than the window holds",
            steps![
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 1)]),
                Awaited::SettingsAck,
                get(1)
            ],
            Data(vec![1]),
        ),
        Case::new(
            "http2/6.9.1/2",
            "RFC 9113 §6.9.1",
            "a connection window beyond 2^31-1",
            steps![Frame::window_update(0, MOST), Frame::window_update(0, MOST)],
            ConnectionError(FLOW_CONTROL_ERROR),
        ),
        Case::new(
            "http2/6.9.1/3",
            "RFC 9113 §6.9.1",
            "a stream window beyond 2^31-1",
            steps![
                post(1),
                Frame::window_update(1, MOST),
                Frame::window_update(1, MOST)
            ],
            StreamError(1, FLOW_CONTROL_ERROR),
        ),
        Case::new(
            "http2/6.9.2/1",
            "RFC 9113 §6.9.2",
            "SETTINGS_INITIAL_WINDOW_SIZE changes the windows of open streams",
            steps![
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 0)]),
                Awaited::SettingsAck,
                get(1),
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 1)])
            ],
            Data(vec![1]),
        ),
        Case::new(
            "http2/6.9.2/2",
            "RFC 9113 §6.9.2",
            "a window below zero",
            steps![
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 3)]),
                Awaited::SettingsAck,
                get(1),
                Awaited::Data(1),
                // The window is then -1, and 1 after the update.
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 2)]),
                Awaited::SettingsAck,
                Frame::window_update(1, 2)
            ],
            Data(vec![3, 1]),
        ),
        Case::new(
            "http2/6.9.2/3",
            "RFC 9113 §6.9.2",
            "SETTINGS_INITIAL_WINDOW_SIZE beyond 2^31-1",
            steps![Frame::settings(&[(INITIAL_WINDOW_SIZE, 1 << 31)])],
            ConnectionError(FLOW_CONTROL_ERROR),
        )
        .h2(ConnectionError(PROTOCOL_ERROR), Wrong(ONE_FRAME_CODE)),
        Case::new(
            "rfc9113/6.9.2/1",
            "RFC 9113 §6.9.2",
            "SETTINGS_INITIAL_WINDOW_SIZE that lifts a stream window beyond 2^31-1",
            steps![
                post(1),
                Frame::window_update(1, MOST - 65535),
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 65536)])
            ],
            ConnectionError(FLOW_CONTROL_ERROR),
        ),
        Case::new(
            "rfc9113/6.9.2/2",
            "RFC 9113 §6.9.2",
            "a response in pieces as the window opens",
            steps![
                Frame::settings(&[(INITIAL_WINDOW_SIZE, 5000)]),
                Awaited::SettingsAck,
                get(1),
                Awaited::Data(1),
                Frame::window_update(1, 1 << 20)
            ],
            Data(vec![5000, BODY - 5000]),
        ),
    ]
}

fn continuations() -> Vec<Case> {
    let block = Frame::headers(1, Block::post("/")).unfinished();
    vec![
        Case::new(
            "http2/6.10/1",
            "RFC 9113 §6.10",
            "several CONTINUATION",
            steps![block.clone().end_stream(), more(1), more(1).end_headers()],
            Answered(1, 200),
        ),
        Case::new(
            "http2/6.10/2",
            "RFC 9113 §6.10",
            "DATA after an unfinished CONTINUATION",
            steps![
                block.clone(),
                more(1),
                Frame::data(1, *b"test").end_stream()
            ],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.10/3",
            "RFC 9113 §6.10",
            "CONTINUATION on stream 0",
            steps![block.clone().end_stream(), more(0).end_headers()],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.10/4",
            "RFC 9113 §6.10",
            "CONTINUATION after HEADERS with END_HEADERS",
            steps![get(1), more(1).end_headers()],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.10/5",
            "RFC 9113 §6.10",
            "CONTINUATION after CONTINUATION with END_HEADERS",
            steps![
                block.clone().end_stream(),
                more(1).end_headers(),
                more(1).end_headers()
            ],
            ConnectionError(PROTOCOL_ERROR),
        ),
        Case::new(
            "http2/6.10/6",
            "RFC 9113 §6.10",
            "CONTINUATION after DATA",
            steps![
                block,
                Frame::data(1, *b"test").end_stream(),
                more(1),
                more(1).end_headers()
            ],
            ConnectionError(PROTOCOL_ERROR),
        ),
    ]
}
