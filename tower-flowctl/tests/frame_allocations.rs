//! What is allocated for each frame of a response: nothing, beyond what hyper allocates.
#![cfg(feature = "serve")]

#[allow(dead_code, reason = "other tests look at the bytes")]
#[path = "abuse/heap.rs"]
mod heap;
mod raw;

use std::{convert::Infallible, ops::Range};

use axum::{Router, body::Body, extract::Path, routing::get};
use bytes::Bytes;
use futures_util::stream;
use raw::{Block, Frame, Server, setting};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower_flowctl::serve::Exec;

/// Bytes in a frame.
const FRAME: usize = 16 << 10;

/// What may be under way in memory.
const LINK: usize = 1 << 20;

/// `/whole/n` is a body of n frames in one piece, `/pieces/n` the same in so many pieces.
fn app() -> Router {
    let bytes = Bytes::from(vec![b'x'; 128 * FRAME]);
    let slices = bytes.clone();
    let whole =
        move |Path(frames): Path<usize>| async move { Body::from(bytes.slice(..frames * FRAME)) };
    let pieces = move |Path(frames): Path<usize>| async move {
        let piece = move |n: usize| Ok::<_, Infallible>(slices.slice(n * FRAME..(n + 1) * FRAME));
        Body::from_stream(stream::iter((0..frames).map(piece)))
    };
    Router::new()
        .route("/whole/{frames}", get(whole))
        .route("/pieces/{frames}", get(pieces))
}

/// A client that allocates nothing while it reads.
struct Client {
    io: DuplexStream,
    buffer: Vec<u8>,
    head: [u8; 9],
    have: usize,
    left: usize,
    next: u32,
}

impl Client {
    async fn connect(server: Server) -> Self {
        let io = server.start(app()).connect_with(LINK);
        let mut client = Self {
            io,
            buffer: vec![0; LINK],
            head: [0; 9],
            have: 0,
            left: 0,
            next: 1,
        };
        let mut hello = raw::PREFACE.to_vec();
        let windows = [(setting::INITIAL_WINDOW_SIZE, i32::MAX as u32)];
        for frame in [
            Frame::settings(&windows),
            Frame::settings_ack(),
            Frame::window_update(0, i32::MAX as u32 - 65_535),
        ] {
            frame.encode(&mut hello);
        }
        client.io.write_all(&hello).await.unwrap();
        client
    }

    /// Asks for a body on each of so many streams, and reads them all. Returns how often that allocated, on both ends.
    async fn ask(&mut self, path: &str, streams: u32) -> i64 {
        let mut requests = Vec::new();
        for _ in 0..streams {
            let ask = Frame::headers(self.next, Block::get(path)).end_stream();
            ask.encode(&mut requests);
            self.next += 2;
        }
        let before = heap::allocations();
        self.io.write_all(&requests).await.unwrap();
        let mut ended = 0;
        while ended < streams {
            let length = self.io.read(&mut self.buffer).await.unwrap();
            assert!(length > 0, "the server has closed the connection");
            ended += self.ends(0..length);
        }
        heap::allocations() - before
    }

    /// How many streams end in a part of the buffer.
    fn ends(&mut self, mut part: Range<usize>) -> u32 {
        let mut ended = 0;
        while !part.is_empty() {
            let skipped = self.left.min(part.len());
            self.left -= skipped;
            part.start += skipped;
            while self.left == 0 && self.have < self.head.len() && !part.is_empty() {
                self.head[self.have] = self.buffer[part.start];
                self.have += 1;
                part.start += 1;
            }
            if let (9, [a, b, c, _, flags, ..]) = (self.have, self.head) {
                let is_response = self.head[3] <= raw::kind::HEADERS;
                ended += u32::from(is_response && flags & raw::flag::END_STREAM != 0);
                self.left = u32::from_be_bytes([0, a, b, c]) as usize;
                self.have = 0;
            }
        }
        ended
    }
}

/// Rounds of which the one counts that allocates least. What comes and goes with time is not the frames': the buffer that
/// h2 reads requests into is renewed every few kilobytes of them, and hyper writes a new date each second.
const ROUNDS: usize = 12;

/// How much more often a response of 128 frames allocates than one of 32. The requests are of one length.
async fn growth(server: Server, kind: &str, streams: u32) -> i64 {
    let mut client = Client::connect(server).await;
    let (short, long) = (format!("/{kind}/032"), format!("/{kind}/128"));
    let (mut fewest_short, mut fewest_long) = (i64::MAX, i64::MAX);
    for _ in 0..ROUNDS {
        fewest_long = fewest_long.min(client.ask(&long, streams).await);
        fewest_short = fewest_short.min(client.ask(&short, streams).await);
    }
    fewest_long - fewest_short
}

#[tokio::test(start_paused = true)]
async fn frames_allocate_nothing_beyond_what_hyper_does() {
    for kind in ["whole", "pieces"] {
        for streams in [1, 10] {
            let hyper = growth(Server::Hyper, kind, streams).await;
            for server in [
                Server::Layered,
                Server::Flowctl(Exec::Local),
                Server::Flowctl(Exec::Spawn),
                Server::Budgeted,
            ] {
                let ours = growth(server, kind, streams).await;
                println!("{kind}, {streams} streams, {server:?}: {ours}, hyper {hyper}");
                assert!(
                    ours <= hyper,
                    "{server:?} with {streams} streams, {kind}: {ours} allocations more for 96 frames more on each, hyper {hyper}"
                );
            }
        }
    }
}
