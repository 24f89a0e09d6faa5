//! Responses come to their end, whatever clients do to their windows, priorities and neighbours.
//!
//! With the clock paused, a response that nobody would ever wake is seen at once: all goes quiet before it ends.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

mod raw;

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Response},
    routing::get,
};
use http_body_util::StreamBody;
use raw::{Block, Connection, Frame, Quiet, Server, code, kind, setting};
use tokio::io::DuplexStream;

/// Bodies of all kinds, of a length that the client asks for.
fn app() -> Router {
    Router::new().route(
        "/{kind}/{length}",
        get(|Path((kind, length)): Path<(String, usize)>| async move { body(&kind, length) }),
    )
}

fn body(kind: &str, length: usize) -> Response {
    let piece = match kind {
        "whole" => return Bytes::from(vec![b'x'; length]).into_response(),
        "small" => 100,
        "slow" => 5_000,
        _ => 40_000,
    };
    let slow = kind == "slow";
    let trailers = kind == "trailers";
    let broken = kind == "broken";
    let pieces = futures_util::stream::unfold(Some(length), move |left| async move {
        let left = left?;
        if slow {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if broken && left <= length / 2 {
            let error = std::io::Error::other("on purpose");
            return Some((Err(error), None));
        }
        let now = left.min(piece);
        if now > 0 {
            let data = http_body::Frame::data(Bytes::from(vec![b'x'; now]));
            return Some((Ok(data), Some(left - now)));
        }
        let mut fields = HeaderMap::new();
        fields.insert("x-end", HeaderValue::from_static("here"));
        trailers.then(|| (Ok(http_body::Frame::trailers(fields)), None))
    });
    Body::new(StreamBody::new(pieces)).into_response()
}

/// Numbers that look random, the same for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (number % u64::from(end)) as u32
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u32) as usize]
    }
}

/// What the client knows of a response.
#[derive(Debug, Default)]
struct Wanted {
    expected: usize,
    /// Whether it ends by RST_STREAM before it is complete.
    breaks: bool,
    came: usize,
    ended: bool,
}

struct Client {
    connection: Connection<DuplexStream>,
    random: Random,
    open: BTreeMap<u32, Wanted>,
    /// The next stream to be opened.
    next: u32,
}

impl Client {
    fn request(&mut self) -> Frame {
        let stream = self.next;
        self.next += 2;
        let length = [0, 1, 3_000, 16_384, 70_000, 300_000][self.random.below(6) as usize];
        let kind = self
            .random
            .pick(&["whole", "small", "slow", "large", "trailers", "broken"]);
        let mut block = Block::get(&format!("/{kind}/{length}"));
        let priority = self
            .random
            .pick(&["", "u=0", "u=1, i", "u=3", "u=5, i", "u=7"]);
        if !priority.is_empty() {
            block = block.field("priority", priority);
        }
        let mut frame = Frame::headers(stream, block).end_stream();
        if self.random.below(3) == 0 {
            let parent = self.some_stream();
            if parent != stream {
                frame = frame.prioritized(parent, self.random.below(2) == 0, 16);
            }
        }
        let expected = Wanted {
            expected: length,
            breaks: kind == "broken",
            ..Wanted::default()
        };
        self.open.insert(stream, expected);
        frame
    }

    /// A stream that is open, was, or will be.
    fn some_stream(&mut self) -> u32 {
        2 * self.random.below(self.next / 2 + 3) + 1
    }

    fn frame(&mut self) -> Frame {
        let stream = self.some_stream();
        let is_open = self.open.contains_key(&stream);
        match self.random.below(8) {
            0 | 1 => self.request(),
            2 if is_open => {
                self.open.remove(&stream);
                Frame::reset(stream, code::CANCEL)
            }
            3 if is_open => Frame::window_update(stream, 1 + self.random.below(50_000)),
            4 => Frame::window_update(0, 1 + self.random.below(100_000)),
            5 => {
                let window = [0, 1, 1_000, 65_535, 200_000][self.random.below(5) as usize];
                Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, window)])
            }
            6 => Frame::priority_update(stream, self.random.pick(&["u=0", "u=2, i", "u=7"])),
            7 => {
                let parent = self.some_stream() - 1;
                Frame::priority(stream, parent, self.random.below(2) == 0, 16)
            }
            _ => Frame::ping([0; 8]),
        }
    }

    /// Reads what there is, up to so many frames.
    async fn read(&mut self, most: usize) {
        for _ in 0..most {
            let next = tokio::time::timeout(Duration::from_millis(1), self.connection.next());
            match next.await {
                Ok(Some(frame)) => self.on(&frame),
                Ok(None) => panic!("the server closed the connection"),
                Err(_) => return,
            }
        }
    }

    fn on(&mut self, frame: &Frame) {
        assert_ne!(frame.kind, kind::GOAWAY, "{frame:?}");
        if let Some(response) = self.open.get_mut(&frame.stream) {
            if frame.kind == kind::RST_STREAM {
                assert!(response.breaks, "{frame:?}");
                response.ended = true;
            }
            if frame.kind == kind::DATA {
                response.came += frame.payload.len();
            }
            if frame.ends_stream() {
                assert_eq!(response.came, response.expected, "stream {}", frame.stream);
                response.ended = true;
            }
        }
    }
}

async fn try_to_stall(server: Server, seed: u64) {
    let dialer = server.start(app());
    let mut random = Random(seed * 2 + 1);
    let capacity = [300, 4_000, 64 << 10][random.below(3) as usize];
    let stream = dialer.connect_with(capacity);
    let window = [0, 10, 65_535][random.below(3) as usize];
    let settings = [(setting::INITIAL_WINDOW_SIZE, window)];
    let mut client = Client {
        connection: Connection::open(stream, &settings).await,
        random,
        open: BTreeMap::new(),
        next: 1,
    };
    for _ in 0..100 {
        let count = client.random.below(4);
        let frames: Vec<Frame> = (0..count).map(|_| client.frame()).collect();
        client.connection.send(frames).await.unwrap();
        let most = client.random.below(30) as usize;
        client.read(most).await;
        // Slower than what would be a flood.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut windows = vec![
        Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 65_535)]),
        Frame::window_update(0, 1 << 30),
    ];
    windows.extend(
        client
            .open
            .keys()
            .map(|id| Frame::window_update(*id, 1 << 20)),
    );
    client.connection.send(windows).await.unwrap();
    while client.open.values().any(|response| !response.ended) {
        match client.connection.next_if_any().await {
            Ok(Some(frame)) => client.on(&frame),
            Ok(None) => panic!("{server:?}, seed {seed}: the server closed the connection"),
            Err(Quiet) => panic!("{server:?}, seed {seed}: stalled: {:?}", client.open),
        }
    }
}

/// Runs of each server; `LIVENESS_SEEDS` asks for more.
fn seeds() -> u64 {
    let asked = std::env::var("LIVENESS_SEEDS");
    asked.map_or(5, |count| count.parse().expect("a number of runs"))
}

#[tokio::test(start_paused = true)]
async fn no_response_is_forgotten() {
    for seed in 1..=seeds() {
        for server in Server::ALL {
            println!("{server:?}, seed {seed}");
            try_to_stall(server, seed).await;
        }
    }
}
