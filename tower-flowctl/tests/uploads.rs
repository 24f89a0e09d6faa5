//! Receive windows that follow what each connection can use, within a budget for all of them.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

mod raw;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    routing::post,
};
use http_body_util::BodyExt;
use raw::{Block, Connection, Frame, Memory, code, flag, kind, setting};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split},
    sync::{Notify, mpsc},
    time::Instant,
};
use tower_flowctl::{
    http2::{Http2Config, Http2Metrics, Reason, ReceiveBudget},
    serve::Http2Tuning,
};

const BASE: usize = 65_535;
const MIB: usize = 1 << 20;

/// Reads all, or (`/hold`) after the first piece nothing until it is told to.
fn app(go: Arc<Notify>) -> Router {
    async fn read(mut body: Body, mut hold: Option<Arc<Notify>>) -> String {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().data_ref().map_or(0, |data| data.len());
            if let Some(go) = hold.take() {
                go.notified().await;
            }
        }
        length.to_string()
    }
    Router::new()
        .route(
            "/read",
            post(|request: Request| read(request.into_body(), None)),
        )
        .route(
            "/hold",
            post(|request: Request| read(request.into_body(), Some(go))),
        )
        .route("/refuse", post(|| async { "no, thank you" }))
        .layer(DefaultBodyLimit::disable())
}

struct Server {
    dialer: raw::Dialer,
    budget: ReceiveBudget,
    metrics: Arc<Http2Metrics>,
    go: Arc<Notify>,
}

fn start(budget: u64) -> Server {
    let (listener, dialer) = Memory::bind();
    let budget = ReceiveBudget::new(budget);
    let metrics = Arc::<Http2Metrics>::default();
    let go = Arc::new(Notify::new());
    let server = tower_flowctl::serve(listener, app(go.clone()))
        .receive_budget(budget.clone())
        .http2(Http2Config::default().metrics(metrics.clone()))
        .tuning(Http2Tuning::uploads());
    tokio::spawn(server.run());
    Server {
        dialer,
        budget,
        metrics,
        go,
    }
}

/// A client that uploads as fast as its windows allow.
struct Client<Io> {
    connection: Connection<Io>,
    window: i64,
    windows: BTreeMap<u32, i64>,
    left: BTreeMap<u32, usize>,
    sent: BTreeMap<u32, usize>,
    answers: BTreeMap<u32, String>,
    pings: usize,
}

impl<Io: AsyncRead + AsyncWrite> Client<Io> {
    async fn new(io: Io) -> Self {
        Self {
            connection: Connection::open(io, &[]).await,
            window: BASE as i64,
            windows: BTreeMap::new(),
            left: BTreeMap::new(),
            sent: BTreeMap::new(),
            answers: BTreeMap::new(),
            pings: 0,
        }
    }

    /// Begins to upload so many bytes.
    async fn post(&mut self, stream: u32, path: &str, length: usize) {
        let open = Frame::headers(stream, Block::post(path));
        self.connection.send([open]).await.unwrap();
        self.windows.insert(stream, BASE as i64);
        self.left.insert(stream, length);
        self.send().await;
    }

    async fn send(&mut self) {
        let mut frames = Vec::new();
        for (&stream, left) in &mut self.left {
            let window = self.windows.get_mut(&stream).unwrap();
            while *left > 0 {
                let room = (*window).min(self.window).clamp(0, 16_384) as usize;
                let length = room.min(*left);
                if length == 0 {
                    break;
                }
                *left -= length;
                *window -= length as i64;
                self.window -= length as i64;
                *self.sent.entry(stream).or_default() += length;
                let frame = Frame::data(stream, vec![b'x'; length]);
                frames.push(if *left == 0 {
                    frame.end_stream()
                } else {
                    frame
                });
            }
        }
        self.left.retain(|_, left| *left > 0);
        self.connection.send(frames).await.unwrap();
    }

    async fn take(&mut self, frame: Frame) {
        match frame.kind {
            kind::SETTINGS if !frame.has(flag::ACK) => {
                let window = frame.setting(setting::INITIAL_WINDOW_SIZE);
                assert_eq!(window, Some(BASE as u32), "what streams begin with");
            }
            kind::WINDOW_UPDATE => {
                let increment = i64::from(frame.increment());
                if frame.stream == 0 {
                    self.window += increment;
                } else if let Some(window) = self.windows.get_mut(&frame.stream) {
                    *window += increment;
                }
                self.send().await;
            }
            kind::PING if !frame.has(flag::ACK) => {
                self.pings += 1;
                let payload = frame.payload.try_into().unwrap();
                let answer = Frame::ping(payload).flag(flag::ACK);
                self.connection.send([answer]).await.unwrap();
            }
            kind::DATA => {
                let answer = self.answers.entry(frame.stream).or_default();
                answer.push_str(std::str::from_utf8(&frame.payload).unwrap());
            }
            kind::RST_STREAM => {
                self.left.remove(&frame.stream);
            }
            kind::GOAWAY => panic!("{frame:?}"),
            _ => {}
        }
    }

    /// Goes on until nothing more happens.
    async fn quiet(&mut self) {
        while let Ok(frame) = self.connection.next_if_any().await {
            self.take(frame.expect("the connection is open")).await;
        }
    }

    /// Goes on until a stream is answered.
    async fn answer(&mut self, stream: u32) -> String {
        loop {
            let frame = self.connection.next_if_any().await;
            let frame = frame.unwrap_or_else(|_| {
                panic!(
                    "stream {stream} stands still: connection {}, streams {:?}, left {:?}",
                    self.window, self.windows, self.left
                )
            });
            let frame = frame.expect("the connection is open");
            let end = frame.stream == stream && frame.ends_stream();
            self.take(frame).await;
            if end {
                return self.answers.remove(&stream).unwrap_or_default();
            }
        }
    }
}

/// A line on which every byte takes so long in each direction.
fn far(delay: Duration, server: DuplexStream) -> DuplexStream {
    let (client, ours) = duplex(64 << 20);
    let (ours, theirs) = (split(ours), split(server));
    for (mut from, mut to) in [(ours.0, theirs.1), (theirs.0, ours.1)] {
        let (send, mut receive) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length @ 1..) = from.read(&mut buffer).await {
                let piece = (Instant::now() + delay, buffer[..length].to_vec());
                if send.send(piece).is_err() {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            while let Some((due, bytes)) = receive.recv().await {
                tokio::time::sleep_until(due).await;
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            // The other end may be gone already.
            let _ = to.shutdown().await;
        });
    }
    client
}

#[tokio::test(start_paused = true)]
async fn windows_grow_to_what_the_round_trip_holds() {
    let server = start(256 << 20);
    let io = far(Duration::from_millis(20), server.dialer.connect());
    let mut client = Client::new(io).await;
    let begun = Instant::now();
    client.post(1, "/read", 32 * MIB).await;
    assert_eq!(client.answer(1).await, (32 * MIB).to_string());
    // At 65,535 bytes for 40 ms it would take 20 seconds, at the 1 MiB of hyper's default 1.3 at best.
    let took = begun.elapsed();
    println!("32 MiB over 40 ms took {took:?}");
    assert!(took < Duration::from_millis(1_250), "{took:?}");
    // A PING for each window, not for each round trip.
    assert!((3..20).contains(&client.pings), "{} PINGs", client.pings);
    assert!(server.budget.promised() <= 16 << 20);
    drop(client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.budget.promised(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_uploads_hold_no_more_than_the_budget() {
    const BUDGET: usize = 4 << 20;
    const CLIENTS: usize = 100;
    let server = start(BUDGET as u64);
    let mut clients = Vec::new();
    // They show that they can use large windows, and then nobody reads.
    for _ in 0..CLIENTS {
        let io = far(Duration::from_millis(20), server.dialer.connect());
        let mut client = Client::new(io).await;
        client.post(1, "/read", 8 * MIB).await;
        assert_eq!(client.answer(1).await, (8 * MIB).to_string());
        client.post(3, "/hold", 8 * MIB).await;
        client.quiet().await;
        clients.push(client);
        let promised = server.budget.promised();
        assert!(promised <= BUDGET as u64, "{promised} bytes are promised");
    }
    let held: usize = clients.iter().map(|client| client.sent[&3]).sum();
    println!("{CLIENTS} clients sent {held} bytes that nobody read");
    assert!(held <= CLIENTS * BASE + BUDGET, "{held} bytes are held");
    assert!(held > CLIENTS * BASE, "the test shows nothing: {held}");
    // A newcomer is served all the same, and those who waited go on.
    let mut newcomer = Client::new(server.dialer.connect()).await;
    newcomer.post(1, "/read", 8 * MIB).await;
    assert_eq!(newcomer.answer(1).await, (8 * MIB).to_string());
    server.go.notify_waiters();
    for client in &mut clients {
        assert_eq!(client.answer(3).await, (8 * MIB).to_string());
    }
    drop((clients, newcomer));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.budget.promised(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_nobody_reads_leaves_others_their_half() {
    let server = start(256 << 20);
    let io = far(Duration::from_millis(20), server.dialer.connect());
    let mut client = Client::new(io).await;
    client.post(1, "/read", 32 * MIB).await;
    client.answer(1).await;
    client.post(3, "/hold", 64 * MIB).await;
    client.quiet().await;
    client.post(5, "/read", 16 * MIB).await;
    assert_eq!(client.answer(5).await, (16 * MIB).to_string());
    server.go.notify_waiters();
    assert_eq!(client.answer(3).await, (64 * MIB).to_string());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_reset_or_padded_is_not_held_for_ever() {
    let server = start(256 << 20);
    let mut client = Client::new(server.dialer.connect()).await;
    for n in 0..200 {
        let stream = 6 * n + 1;
        // Answered without a look at the body.
        client.post(stream, "/refuse", BASE / 4).await;
        client.answer(stream).await;
        // Given up half way.
        client.post(stream + 2, "/hold", BASE / 4).await;
        let reset = Frame::reset(stream + 2, code::CANCEL);
        client.connection.send([reset]).await.unwrap();
        client.left.remove(&(stream + 2));
        // Mostly padding, which counts as much as data (RFC 9113 §6.1).
        client.post(stream + 4, "/read", 0).await;
        let last = [
            Frame::data(stream + 4, *b"data").padded(200),
            Frame::data(stream + 4, *b"").end_stream(),
        ];
        client.window -= 205;
        client.connection.send(last).await.unwrap();
        assert_eq!(client.answer(stream + 4).await, "4");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.quiet().await;
    assert!(client.window > 0, "{}", client.window);
    client.post(3001, "/read", 8 * MIB).await;
    assert_eq!(client.answer(3001).await, (8 * MIB).to_string());
}

#[tokio::test(start_paused = true)]
async fn who_sends_beyond_the_window_is_cut_off() {
    // On a stream, and on the connection.
    for streams in [vec![1], vec![1, 3]] {
        let server = start(256 << 20);
        let mut client = Connection::open(server.dialer.connect(), &[]).await;
        for &stream in &streams {
            let open = Frame::headers(stream, Block::post("/hold"));
            client.send([open]).await.unwrap();
        }
        let each = BASE.div_ceil(streams.len()) + 1;
        for &stream in &streams {
            let mut left = each;
            while left > 0 {
                let length = left.min(16_384);
                left -= length;
                // The server may be gone by then, which is as well.
                let _ = client.send([Frame::data(stream, vec![0; length])]).await;
            }
        }
        let end = client.until(|frame| frame.kind == kind::GOAWAY).await;
        let end = end.last().unwrap();
        assert_eq!(end.code(), code::FLOW_CONTROL_ERROR, "{streams:?}");
        assert_eq!(end.debug_data(), "window_exceeded");
        assert_eq!(server.metrics.snapshot().closed(Reason::WindowExceeded), 1);
    }
}
