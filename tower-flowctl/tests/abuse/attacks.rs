//! The attacks, and what h2 0.4 does about each; the limits are its own (`h2::server::Builder`, `proto/mod.rs`). Where
//! this crate does something else, its limit is that of `Http2Limits`, twice at most: the clock is first looked at when
//! a limit is reached.

use std::time::Duration;

use tower_flowctl::http2::Reason::*;

use crate::{
    attack::{Attack, End, flood},
    raw::{Block, Frame, code, flag, setting},
};

/// The stream of a round.
fn stream(round: u32) -> u32 {
    2 * round + 1
}

fn request(stream: u32, path: &str) -> Frame {
    Frame::headers(stream, Block::post(path))
}

fn open(stream: u32, path: &str) -> Frame {
    Frame::headers(stream, Block::get(path)).end_stream()
}

/// Rounds of a flood of a frame or two each.
const MANY: u32 = 2_000;
/// Rounds of a flood of ten frames each.
const TENS: u32 = 500;

pub(crate) fn all() -> Vec<Attack> {
    [
        resets(),
        blocks(),
        control(),
        bodies(),
        readers(),
        priorities(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn resets() -> Vec<Attack> {
    fn pair(stream: u32) -> [Frame; 2] {
        [open(stream, "/hold"), Frame::reset(stream, code::CANCEL)]
    }
    vec![
        // max_pending_accept_reset_streams: 20.
        flood("rapid reset, 100 at once (CVE-2023-44487)", 100, |round| {
            (0..100)
                .flat_map(|n| pair(stream(100 * round + n)))
                .collect()
        })
        .stopped(End::calm("too_many_resets"), 200),
        flood("rapid reset, one at a time", MANY, |round| {
            pair(stream(round)).into()
        })
        .ours(ClientResets, 1210),
        flood("rapid reset, of handlers that run", MANY, |round| {
            let mut frames = vec![open(stream(round), "/hold")];
            if round > 0 {
                frames.push(Frame::reset(stream(round - 1), code::CANCEL));
            }
            frames
        })
        .ours(ClientResets, 1210),
        // max_local_error_reset_streams: 1,024.
        flood(
            "made you reset, by content-length (CVE-2025-8671)",
            MANY,
            |round| {
                let block = Block::post("/read").field("content-length", "1");
                let stream = stream(round);
                vec![Frame::headers(stream, block), Frame::data(stream, *b"long")]
            },
        )
        .stopped(End::calm("too_many_internal_resets"), 2_060)
        .ours(ServerResets, 1210),
        flood("made you reset, by a full window", MANY, |round| {
            let stream = stream(round);
            let most = Frame::window_update(stream, 0x7fff_ffff);
            vec![request(stream, "/hold"), most.clone(), most]
        })
        .stopped(End::calm("too_many_internal_resets"), 3_090)
        .ours(ServerResets, 1815),
        flood(
            "made you reset, by a stream that depends on itself",
            MANY,
            |round| {
                let stream = stream(round);
                vec![
                    request(stream, "/hold"),
                    Frame::priority(stream, stream, false, 16),
                ]
            },
        )
        .stopped(End::calm("too_many_internal_resets"), 2_060)
        .ours(ServerResets, 1210),
        flood("made you reset, by an increment of 0", MANY, |round| {
            let stream = stream(round);
            vec![request(stream, "/hold"), Frame::window_update(stream, 0)]
        })
        .stopped(End::GoAway(code::PROTOCOL_ERROR, String::new()), 2),
        flood("malformed requests (CVE-2019-9514)", MANY, |round| {
            let block = Block::get("/hold").field("connection", "close");
            vec![Frame::headers(stream(round), block).end_stream()]
        })
        .stopped(End::calm("too_many_internal_resets"), 1_030)
        .ours(ServerResets, 605),
        // h2 answers the first, and remembers for a second that it did.
        flood(
            "DATA on a stream that has ended",
            MANY,
            |round| match round {
                0 => vec![open(1, "/read")],
                _ => vec![Frame::data(1, *b"more").end_stream()],
            },
        ),
        flood(
            "RST_STREAM on a stream that has ended",
            MANY,
            |round| match round {
                0 => vec![open(1, "/read")],
                _ => vec![Frame::reset(1, code::CANCEL)],
            },
        )
        .ours(ClientResets, 603),
        flood("more streams than allowed", MANY, |round| {
            (0..10)
                .map(|n| open(stream(10 * round + n), "/hold"))
                .collect()
        })
        .stopped(End::calm("too_many_internal_resets"), 1_230)
        .holding(2 << 20)
        .ours(ServerResets, 830),
    ]
}

fn blocks() -> Vec<Attack> {
    vec![
        // A header list of 16 KiB fits into one frame, so that five CONTINUATION are taken.
        flood("CONTINUATION without end (CVE-2024-27316)", MANY, |_| {
            vec![Frame::continuation(1, Block::new().field("x", "y"))]
        })
        .after([request(1, "/hold").unfinished()])
        .stopped(End::calm("too_many_continuations"), 8),
        flood(
            "empty CONTINUATION without end (CVE-2019-9518)",
            MANY,
            |_| vec![Frame::continuation(1, Block::new())],
        )
        .after([request(1, "/hold").unfinished()])
        .stopped(End::calm("too_many_continuations"), 8),
        // Four times the header list's limit.
        flood(
            "a block of 4 KiB fields from the dynamic table",
            MANY,
            |round| {
                let block = match round {
                    0 => Block::get("/hold").indexed_field("x", &"y".repeat(4000)),
                    _ => Block::get("/hold").raw(vec![0xbe; 4000]),
                };
                vec![Frame::headers(stream(round), block).end_stream()]
            },
        )
        .stopped(End::calm("header_list_way_too_large"), 2),
        flood("blocks a little too large", MANY, |round| {
            let block = Block::get("/hold").field("x", &"y".repeat(16 << 10));
            let (first, second) = block.split_at(16 << 10);
            vec![
                Frame::headers(stream(round), first)
                    .end_stream()
                    .unfinished(),
                Frame::continuation(stream(round), second).end_headers(),
            ]
        }),
        // Limits on the time for a request's head are the admission's.
        flood("half a block, then silence", 4, |_| Vec::new())
            .after([request(1, "/hold").unfinished()])
            .every(Duration::from_secs(60)),
        flood("empty names (CVE-2019-9516)", MANY, |round| {
            let block = Block::get("/hold").field("", "");
            vec![Frame::headers(stream(round), block).end_stream()]
        })
        .stopped(End::GoAway(code::PROTOCOL_ERROR, String::new()), 1),
    ]
}

fn control() -> Vec<Attack> {
    vec![
        flood("PING (CVE-2019-9512)", TENS, |_| {
            vec![Frame::ping([7; 8]); 10]
        })
        .ours(Pings, 210),
        flood("PING, none of whose answers is read", TENS, |_| {
            vec![Frame::ping([7; 8]); 10]
        })
        .without_reading()
        .ours(Pings, 10000),
        flood("SETTINGS (CVE-2019-9515)", TENS, |_| {
            vec![Frame::settings(&[(setting::ENABLE_PUSH, 0)]); 10]
        })
        .ours(Settings, 110),
        flood("SETTINGS that change all windows", TENS, |round| {
            let window = 65_535 + round % 2;
            vec![Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, window)]); 10]
        })
        .after((0..100).map(|n| open(stream(n), "/hold")))
        .holding(1 << 20)
        .ours(Settings, 210),
        flood("WINDOW_UPDATE by 1 for the connection", TENS, |_| {
            vec![Frame::window_update(0, 1); 10]
        })
        .ours(WindowUpdates, 2010),
        flood(
            "WINDOW_UPDATE by 1 for a response (CVE-2019-9511)",
            TENS,
            |_| vec![Frame::window_update(1, 1); 10],
        )
        .with(&[(setting::INITIAL_WINDOW_SIZE, 0)])
        .after([open(1, "/large")])
        .ours(WindowUpdates, 2510),
        flood("answers to no PING", TENS, |_| {
            vec![Frame::ping([7; 8]).flag(flag::ACK); 10]
        }),
        flood("extension frames", TENS, |_| {
            vec![Frame::new(0xf0, 0, [0; 100]); 10]
        }),
    ]
}

fn bodies() -> Vec<Attack> {
    vec![
        // MAX_RECV_EMPTY_DATA_FRAMES: 100.
        flood("empty DATA (CVE-2019-9518)", MANY, |_| {
            vec![Frame::data(1, *b"")]
        })
        .after([request(1, "/read")])
        .stopped(End::calm("too_many_data_frames"), 102),
        flood("empty DATA, padded", MANY, |_| {
            vec![Frame::data(1, *b"").padded(100)]
        })
        .after([request(1, "/read")])
        .stopped(End::calm("too_many_data_frames"), 102),
        flood("DATA of a byte that is read", 500, |_| {
            vec![Frame::data(1, *b"x"); 100]
        })
        .after([request(1, "/read")])
        .ours(SmallData, 40200),
        // Half the connection window of 1 MiB, at 255 for each byte.
        flood("DATA of a byte that is not read", MANY, |_| {
            vec![Frame::data(1, *b"x"); 10]
        })
        .after([request(1, "/hold")])
        .stopped(End::calm("too_many_data_frames"), 2_080)
        .holding(1 << 20),
    ]
}

/// Responses that the client does not take.
fn readers() -> Vec<Attack> {
    let minute = Duration::from_secs(60);
    vec![
        flood("no window (CVE-2019-9517)", 4, |_| Vec::new())
            .with(&[(setting::INITIAL_WINDOW_SIZE, 0)])
            .after((0..100).map(|n| open(stream(n), "/large")))
            .every(minute)
            .holding(4 << 20)
            .ours(Stalled, 100),
        flood("windows, but nothing is read", 4, |_| Vec::new())
            .after((0..100).map(|n| open(stream(n), "/large")))
            .after([Frame::window_update(0, 1 << 30)])
            .without_reading()
            .every(minute)
            .holding(9 << 20)
            .ours_cut(Stalled, 101, 2 << 20),
        // h2 does not read while the answer to a PING waits for the socket.
        flood("windows, but nothing is read, and PING", 4, |_| {
            vec![Frame::ping([7; 8])]
        })
        .after((0..100).map(|n| open(stream(n), "/large")))
        .after([Frame::window_update(0, 1 << 30)])
        .without_reading()
        .every(minute)
        .holding(9 << 20)
        .ours_cut(Stalled, 104, 2 << 20),
        flood("a byte of window a second", 120, |_| {
            vec![Frame::window_update(1, 1)]
        })
        .with(&[(setting::INITIAL_WINDOW_SIZE, 0)])
        .after([open(1, "/large")])
        .every(Duration::from_secs(1))
        .ours(Stalled, 65),
    ]
}

fn priorities() -> Vec<Attack> {
    vec![
        flood("PRIORITY for one stream (CVE-2019-9513)", TENS, |round| {
            (0..10)
                .map(|n| Frame::priority(1, 2 * ((10 * round + n) % 50) + 3, true, 16))
                .collect()
        })
        .ours(Priorities, 410),
        flood("PRIORITY for streams that are idle", TENS, |round| {
            (0..10)
                .map(|n| Frame::priority(stream(10 * round + n), 0, true, 16))
                .collect()
        })
        .ours(Priorities, 410),
        flood("PRIORITY that turns a deep tree", TENS, |round| {
            let stream = |n: u32| 2 * (n % 100) + 1;
            (0..10)
                .map(|n| {
                    Frame::priority(stream(10 * round + n), stream(10 * round + n + 1), true, 16)
                })
                .collect()
        })
        .after((0..100).map(|n| open(stream(n), "/hold").prioritized(2 * n, true, 16)))
        .holding(1 << 20)
        .ours(Priorities, 920),
        flood("PRIORITY_UPDATE for one stream", TENS, |round| {
            vec![Frame::priority_update(1, ["u=0", "u=7, i"][round as usize % 2]); 10]
        })
        .ours(Priorities, 410),
        flood("PRIORITY_UPDATE for streams that are idle", TENS, |round| {
            (0..10)
                .map(|n| Frame::priority_update(stream(10 * round + n), "u=0"))
                .collect()
        })
        .ours(Priorities, 410),
        flood("PRIORITY_UPDATE of 16 KiB", TENS, |_| {
            vec![Frame::priority_update(1, &"a,".repeat(8_000)).flag(flag::ACK)]
        })
        .ours(Priorities, 410),
    ]
}
