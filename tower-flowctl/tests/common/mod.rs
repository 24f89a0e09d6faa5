//! A raw HTTP/2 peer, and a server that it reaches without sockets, over a link of known bandwidth.
#![allow(dead_code, missing_debug_implementations, unreachable_pub)]

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, extract::Path, routing::get, serve::Listener};
use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    sync::mpsc,
    time::{Instant, Sleep},
};

pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
    pub const PRIORITY_UPDATE: u8 = 0x10;
}

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITY: u8 = 0x20;

/// A transport of so many bytes a second in the direction of the client.
pub struct Link {
    io: DuplexStream,
    rate: Option<f64>,
    tokens: f64,
    at: Instant,
    sleep: Pin<Box<Sleep>>,
}

/// What a shaped link takes at once.
const BURST: f64 = 4096.0;

impl Link {
    fn new(io: DuplexStream, rate: Option<u64>) -> Self {
        Self {
            io,
            rate: rate.map(|rate| rate as f64),
            tokens: BURST,
            at: Instant::now(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(rate) = this.rate else {
            return Pin::new(&mut this.io).poll_write(cx, bytes);
        };
        loop {
            let now = Instant::now();
            this.tokens = BURST.min(this.tokens + (now - this.at).as_secs_f64() * rate);
            this.at = now;
            if this.tokens >= 1.0 {
                let length = bytes.len().min(this.tokens as usize);
                let sent = ready!(Pin::new(&mut this.io).poll_write(cx, &bytes[..length]))?;
                this.tokens -= sent as f64;
                return Poll::Ready(Ok(sent));
            }
            this.sleep.as_mut().reset(now + Duration::from_millis(1));
            ready!(this.sleep.as_mut().poll(cx));
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// A listener whose connections are made by [`Dial`].
pub struct InProcess(mpsc::UnboundedReceiver<Link>);

#[derive(Clone)]
pub struct Dial(mpsc::UnboundedSender<Link>);

pub fn in_process() -> (InProcess, Dial) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (InProcess(receiver), Dial(sender))
}

impl Dial {
    /// A connection over which the server sends at most so many bytes a second.
    pub fn connect(&self, rate: Option<u64>) -> DuplexStream {
        let (client, server) = tokio::io::duplex(64 << 20);
        assert!(
            self.0.send(Link::new(server, rate)).is_ok(),
            "the server is there"
        );
        client
    }
}

impl Listener for InProcess {
    type Io = Link;
    type Addr = ();

    async fn accept(&mut self) -> (Link, ()) {
        match self.0.recv().await {
            Some(link) => (link, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Which server a test runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// `axum::serve` without us.
    Plain,
    /// `axum::serve` with our listener and layer.
    Layered,
    /// Ours.
    Ours,
    /// Ours with windows that follow a budget.
    Budgeted,
}

/// Starts a server in this process. It runs until the test's runtime ends.
pub fn start(server: Server, app: Router) -> Dial {
    use tower_flowctl::http2::{PriorityLayer, PriorityListener, ReceiveBudget};
    let (listener, dial) = in_process();
    match server {
        Server::Plain => drop(tokio::spawn(axum::serve(listener, app).into_future())),
        Server::Layered => {
            let app = app.layer(PriorityLayer::new());
            tokio::spawn(axum::serve(PriorityListener::new(listener), app).into_future());
        }
        Server::Ours => drop(tokio::spawn(tower_flowctl::serve(listener, app).run())),
        Server::Budgeted => {
            let budget = ReceiveBudget::new(16 << 20);
            let server = tower_flowctl::serve(listener, app).receive_budget(budget);
            tokio::spawn(server.run());
        }
    }
    dial
}

/// `/bytes/N` is N bytes, in one piece.
pub fn app() -> Router {
    Router::new().route(
        "/bytes/{length}",
        get(|Path(length): Path<usize>| async move { Bytes::from(vec![b'x'; length]) }),
    )
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM or GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & END_STREAM != 0
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// A literal field that no table remembers.
pub fn field(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for string in [name, value] {
        assert!(string.len() < 127);
        block.push(string.len() as u8);
        block.extend(string.as_bytes());
    }
}

/// The header block of a GET.
pub fn get_block(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![0x82, 0x86];
    field(&mut block, ":path", path);
    field(&mut block, ":authority", "test");
    for (name, value) in fields {
        field(&mut block, name, value);
    }
    block
}

/// The client's end, frame by frame.
pub struct Peer<Io = DuplexStream> {
    pub io: Io,
    read: BytesMut,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Peer<Io> {
    /// Sends the preface and windows as large as they can be.
    pub async fn new(io: Io) -> Self {
        Self::with_settings(io, &setting(4, i32::MAX as u32), i32::MAX as u32 - 65_535).await
    }

    pub async fn with_settings(io: Io, settings: &[u8], window: u32) -> Self {
        let read = BytesMut::new();
        let mut peer = Self { io, read };
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(kind::SETTINGS, 0, 0, settings));
        if window > 0 {
            bytes.extend(frame(kind::WINDOW_UPDATE, 0, 0, &window.to_be_bytes()));
        }
        peer.send(&bytes).await;
        peer
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    pub async fn get(&mut self, stream: u32, path: &str, fields: &[(&str, &str)]) {
        let flags = END_STREAM | END_HEADERS;
        let block = get_block(path, fields);
        self.send(&frame(kind::HEADERS, flags, stream, &block))
            .await;
    }

    pub async fn update(&mut self, stream: u32, field: &str) {
        let payload = [&stream.to_be_bytes()[..], field.as_bytes()].concat();
        self.send(&frame(kind::PRIORITY_UPDATE, 0, 0, &payload))
            .await;
    }

    /// The next frame; `None` at the end of the connection. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            if !matches!(self.io.read_buf(&mut self.read).await, Ok(1..)) {
                return None;
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let head: [u8; 9] = self.read.get(..9)?.try_into().ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if self.read.len() < 9 + length {
            return None;
        }
        self.read.advance(9);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff,
            payload: self.read.split_to(length).to_vec(),
        })
    }

    /// The next frame of a kind, passing over others.
    pub async fn expect(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("the connection is open");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads until these streams have ended; returns what came, with its times.
    pub async fn finish(&mut self, streams: &[u32]) -> Record {
        let mut record = Record::default();
        while !streams
            .iter()
            .all(|stream| record.ends.contains_key(stream))
        {
            let frame = self.next().await.expect("the connection is open");
            record.add(frame);
        }
        record
    }
}

/// What came over the wire, in its order.
#[derive(Debug, Default)]
pub struct Record {
    /// Stream and bytes of each DATA frame.
    pub data: Vec<(u32, usize)>,
    /// When each stream ended.
    pub ends: BTreeMap<u32, Instant>,
    /// The streams in the order of their ends.
    pub order: Vec<u32>,
}

impl Record {
    pub fn add(&mut self, frame: Frame) {
        if frame.kind == kind::DATA && !frame.payload.is_empty() {
            self.data.push((frame.stream, frame.payload.len()));
        }
        if frame.ends_stream() || frame.kind == kind::RST_STREAM {
            self.ends.insert(frame.stream, Instant::now());
            self.order.push(frame.stream);
        }
    }

    /// Bytes of a stream among the first so many of all.
    pub fn share(&self, stream: u32, first: usize) -> usize {
        let mut all = 0;
        let mut share = 0;
        for &(of, length) in &self.data {
            if all >= first {
                break;
            }
            all += length;
            if of == stream {
                share += length;
            }
        }
        share
    }
}
