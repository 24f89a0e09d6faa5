//! HTTP/1 under `serve`: pipelining, and clients that send no more.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
};
use tower_flowctl::serve::{HalfClosed, Pipelined};

/// How often a socket was told to write.
#[derive(Default)]
struct Writes {
    all: AtomicUsize,
    /// Of them those of several slices.
    vectored: AtomicUsize,
}

/// A socket that counts what it is told to write.
struct Counting(TcpStream, Arc<Writes>);

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1.all.fetch_add(1, Relaxed);
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.1.all.fetch_add(1, Relaxed);
        self.1.vectored.fetch_add(1, Relaxed);
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

struct CountingListener(TcpListener, Arc<Writes>);

impl axum::serve::Listener for CountingListener {
    type Io = Counting;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counting, SocketAddr) {
        let (socket, address) = self.0.accept().await.unwrap();
        (Counting(socket, self.1.clone()), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

struct Server {
    client: TcpStream,
    writes: Arc<Writes>,
    read: Vec<u8>,
}

impl Server {
    /// Serves, and connects to it.
    async fn start(app: Router, pipelined: Pipelined) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let writes = Arc::<Writes>::default();
        let listener = CountingListener(listener, writes.clone());
        let server = tower_flowctl::serve(listener, app).pipelined(pipelined);
        tokio::spawn(server.header_timeout(None).run());
        Self {
            client: TcpStream::connect(address).await.unwrap(),
            writes,
            read: Vec::new(),
        }
    }

    /// Sends requests for all these paths at once.
    async fn ask(&mut self, paths: &[&str]) {
        let request = |path: &&str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let text: String = paths.iter().map(request).collect();
        self.client.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads on until there is so much text that ends like that, and forgets it.
    async fn answers(&mut self, count: usize, end: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.read).into_owned();
            if text.matches("HTTP/1.1 200 OK").count() == count && text.ends_with(end) {
                self.read.clear();
                return text;
            }
            let read = self.client.read_buf(&mut self.read).await.unwrap();
            assert_ne!(read, 0, "the connection ended after {text:?}");
        }
    }
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn answers_to_pipelined_requests_go_together() {
    for pipelined in [Pipelined::Together, Pipelined::Singly] {
        let mut server = Server::start(hello(), pipelined).await;
        // Until it is known to be HTTP/1, it is not known to pipeline.
        server.ask(&["/"]).await;
        server.answers(1, "hello").await;
        for round in 0..3 {
            let before = server.writes.all.load(Relaxed);
            server.ask(&["/"; 16]).await;
            let text = server.answers(16, "hello").await;
            assert_eq!(text.matches("hello").count(), 16);
            let writes = server.writes.all.load(Relaxed) - before;
            // The first goes alone, as long as nobody knows that there are more.
            let wanted = match (pipelined, round) {
                (Pipelined::Together, 0) => 2,
                (Pipelined::Together, _) => 1,
                _ => 16,
            };
            assert_eq!(writes, wanted, "{pipelined:?} in round {round}");
        }
        // Who stops pipelining is answered as everybody is.
        for _ in 0..3 {
            server.ask(&["/"]).await;
            server.answers(1, "hello").await;
        }
    }
}

#[tokio::test]
async fn a_small_response_is_written_in_one_piece_and_a_large_one_not_copied() {
    let body = |length: usize| get(move || async move { "a".repeat(length) + "z" });
    let app = Router::new()
        .route("/small", body(500))
        .route("/large", body(2_000));
    let mut server = Server::start(app, Pipelined::Singly).await;
    for (path, vectored) in [("/small", 0), ("/large", 1), ("/small", 1)] {
        let before = server.writes.all.load(Relaxed);
        server.ask(&[path]).await;
        let text = server.answers(1, "z").await;
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let length = if path == "/small" { 500 } else { 2_000 };
        assert_eq!(body, "a".repeat(length) + "z", "{path}");
        assert_eq!(server.writes.all.load(Relaxed) - before, 1, "{path}");
        assert_eq!(server.writes.vectored.load(Relaxed), vectored, "{path}");
    }
}

/// What is ready does not wait for what comes after it: neither for a handler nor for a body.
#[tokio::test]
async fn what_is_ready_does_not_wait_for_the_rest() {
    let gate = Arc::new(Notify::new());
    let (pieces, coming) = mpsc::channel::<&'static str>(1);
    let coming = Arc::new(tokio::sync::Mutex::new(coming));
    let held = gate.clone();
    let slow = move || async move {
        held.notified().await;
        "late"
    };
    let streamed = move || async move {
        let frames = futures_util::stream::unfold(coming, |coming| async move {
            let piece = coming.lock().await.recv().await?;
            let frame = http_body::Frame::data(Bytes::from_static(piece.as_bytes()));
            Some((Ok::<_, io::Error>(frame), coming))
        });
        Body::new(StreamBody::new(frames).boxed_unsync())
    };
    let app = hello()
        .route("/slow", get(slow))
        .route("/streamed", get(streamed));
    let mut server = Server::start(app, Pipelined::Together).await;
    for _ in 0..2 {
        server.ask(&["/", "/", "/slow", "/"]).await;
        server.answers(2, "hello").await;
        gate.notify_one();
        server.answers(2, "hello").await;
    }
    server.ask(&["/", "/", "/streamed"]).await;
    for piece in ["first", "second"] {
        pieces.send(piece).await.unwrap();
        let count = if piece == "first" { 3 } else { 0 };
        server.answers(count, &format!("{piece}\r\n")).await;
    }
}

/// Whatever came before what is no request has its answer.
#[tokio::test]
async fn a_fault_in_the_pipeline_costs_no_answer() {
    let mut server = Server::start(hello(), Pipelined::Together).await;
    server.ask(&["/", "/", "/", "no path"]).await;
    let mut text = String::new();
    server.client.read_to_string(&mut text).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
    assert!(text.contains("HTTP/1.1 400 "), "{text}");
}

/// Large answers and small ones keep their order.
#[tokio::test]
async fn large_answers_stay_in_order() {
    let large = "x".repeat(100_000);
    let body = large.clone();
    let app = hello().route("/large", get(move || async move { body }));
    let mut server = Server::start(app, Pipelined::Together).await;
    for _ in 0..3 {
        server.ask(&["/", "/large", "/", "/large", "/"]).await;
        let text = server.answers(5, "hello").await;
        let bodies = text.split("HTTP/1.1 200 OK").skip(1);
        let lengths = bodies.map(|answer| answer.split_once("\r\n\r\n").unwrap().1.len());
        assert_eq!(
            lengths.collect::<Vec<_>>(),
            [5, large.len(), 5, large.len(), 5]
        );
    }
}

/// Tells that it was dropped.
struct Gone(mpsc::UnboundedSender<&'static str>);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.send("gone");
    }
}

#[tokio::test]
async fn a_client_that_sends_no_more_is_answered_where_that_is_wanted() {
    for (half_closed, answered) in [(HalfClosed::Answer, true), (HalfClosed::Cancel, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut told) = mpsc::unbounded_channel();
        let gate = Arc::new(Notify::new());
        let held = gate.clone();
        let handler = move || async move {
            let _gone = Gone(sender.clone());
            sender.send("entered").unwrap();
            held.notified().await;
            "answer"
        };
        let app = Router::new().route("/", get(handler));
        let server = tower_flowctl::serve(listener, app).half_closed(half_closed);
        tokio::spawn(server.run());

        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        client.write_all(request).await.unwrap();
        assert_eq!(told.recv().await, Some("entered"));
        client.shutdown().await.unwrap();
        if !answered {
            // Without anybody having let it go.
            assert_eq!(told.recv().await, Some("gone"));
        }
        gate.notify_one();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text.ends_with("\r\n\r\nanswer"), answered, "{text:?}");
    }
}
