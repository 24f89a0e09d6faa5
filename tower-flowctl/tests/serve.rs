//! `serve` as its users see it: both protocols, closing single connections, and draining.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep},
};
use tower_flowctl::serve::{End, Exec};

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn request(address: SocketAddr, path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{address}{path}"))
        .body(Empty::new())
        .unwrap()
}

#[tokio::test]
async fn serves_both_protocols_wherever_handlers_run() {
    for exec in [Exec::Local, Exec::Spawn] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let (listener, address) = listen().await;
            let app = Router::new().route("/", get(|| async { "hello" }));
            let (stop, stopped) = oneshot::channel::<()>();
            let server = tokio::spawn(
                tower_flowctl::serve(listener, app)
                    .exec(exec)
                    .run_until(stopped),
            );
            let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new())
                .http2_only(version == Version::HTTP_2)
                .build_http();
            let response = client.request(request(address, "/")).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.version(), version, "{exec:?}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "hello", "{exec:?} {version:?}");
            drop(client);
            stop.send(()).unwrap();
            assert_eq!(server.await.unwrap(), End::Drained, "{exec:?} {version:?}");
        }
    }
}

#[tokio::test]
async fn closes_the_one_connection_that_is_asked_to() {
    let (listener, address) = listen().await;
    let app = Router::new().route("/", get(|| async { "hello" }));
    let bells: Arc<Mutex<Vec<Arc<Notify>>>> = Arc::default();
    let rung = bells.clone();
    let server = tower_flowctl::serve(listener, app).close_when(move |_: &TcpStream| {
        let bell = Arc::new(Notify::new());
        rung.lock().unwrap().push(bell.clone());
        Some(async move { bell.notified().await })
    });
    let server = tokio::spawn(server.run());

    let mut senders = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..2 {
        let socket = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
                .await
                .unwrap();
        connections.push(tokio::spawn(connection));
        let response = sender.send_request(request(address, "/")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        senders.push(sender);
    }
    bells.lock().unwrap()[0].notify_one();
    // The end of the connection is the answer to GOAWAY: no error.
    connections.remove(0).await.unwrap().unwrap();
    let response = senders[1]
        .send_request(request(address, "/"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    server.abort();
}

#[tokio::test]
async fn connections_are_closed_in_order_when_the_server_was_dropped_before() {
    let (listener, address) = listen().await;
    let app = Router::new().route("/", get(|| async { "hello" }));
    let bell = Arc::new(Notify::new());
    let rung = bell.clone();
    let server = tower_flowctl::serve(listener, app).close_when(move |_: &TcpStream| {
        let bell = rung.clone();
        Some(async move { bell.notified().await })
    });
    let server = tokio::spawn(server.run());
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    sender.send_request(request(address, "/")).await.unwrap();
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    let response = sender.send_request(request(address, "/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    bell.notify_one();
    // The end of the connection is the answer to GOAWAY: no error.
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn drains_what_is_in_flight_and_cuts_what_takes_too_long() {
    for (timeout, expected) in [
        (Duration::from_secs(30), End::Drained),
        (Duration::ZERO, End::Cut(1)),
    ] {
        let (listener, address) = listen().await;
        let (entered, mut entries) = mpsc::unbounded_channel();
        let gate = Arc::new(Notify::new());
        let held = gate.clone();
        let app = Router::new().route(
            "/",
            get(move || async move {
                entered.send(()).unwrap();
                held.notified().await;
                "late"
            }),
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tower_flowctl::serve(listener, app)
            .drain_timeout(timeout)
            .run_until(stopped);
        let seen = gate.clone();
        // What handlers held is given back when the server's future ends, and not some time later.
        let server = tokio::spawn(async move { (server.await, Arc::strong_count(&seen)) });
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let pending = tokio::spawn(client.request(request(address, "/")));
        entries.recv().await.unwrap();
        stop.send(()).unwrap();
        if expected == End::Drained {
            gate.notify_one();
            assert_eq!(pending.await.unwrap().unwrap().status(), StatusCode::OK);
        } else {
            assert!(pending.await.unwrap().is_err());
        }
        assert_eq!(server.await.unwrap(), (expected, 2));
    }
}

/// Has a connection upgraded to echo what comes, and hands the test what ends it.
async fn upgrade(request: axum::extract::Request) -> axum::response::Response {
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    http::Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(axum::body::Body::empty())
        .unwrap()
}

#[tokio::test]
async fn a_drain_waits_for_upgraded_connections_and_counts_them() {
    for (timeout, expected) in [
        (Duration::from_secs(30), End::Drained),
        (Duration::ZERO, End::Cut(1)),
    ] {
        let (listener, address) = listen().await;
        let (stop, stopped) = oneshot::channel::<()>();
        let mut server = tokio::spawn(
            tower_flowctl::serve(listener, Router::new().route("/", get(upgrade)))
                .drain_timeout(timeout)
                .run_until(stopped),
        );
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        client.write_all(head).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(client.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        stop.send(()).unwrap();
        if expected == End::Drained {
            // The listener is closed when the drain begins.
            let closed = async { while TcpStream::connect(address).await.is_ok() {} };
            let patience = Duration::from_secs(60);
            tokio::time::timeout(patience, closed).await.unwrap();
            let echoed = async {
                client.write_all(b"still here").await.unwrap();
                let mut echo = [0; 10];
                client.read_exact(&mut echo).await.unwrap();
                assert_eq!(&echo, b"still here");
            };
            tokio::select! {
                biased;
                end = &mut server => panic!("{end:?} before the upgraded connection ended"),
                () = echoed => {}
            }
            drop(client);
        }
        assert_eq!(server.await.unwrap(), expected);
    }
}

/// A listener of streams whose other ends the test has.
struct Streams(mpsc::UnboundedReceiver<DuplexStream>);

impl axum::serve::Listener for Streams {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What a client who sends one request on the stream is answered; it reads until the stream is closed.
async fn ask(stream: DuplexStream, version: Version) -> String {
    if version == Version::HTTP_2 {
        let io = TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        let asked = Request::get("http://x/").body(Empty::<Bytes>::new());
        let response = sender.send_request(asked.unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        // The end of the connection is the answer to GOAWAY: no error.
        connection.await.unwrap().unwrap();
        return String::from_utf8(body.to_vec()).unwrap();
    }
    let mut stream = stream;
    let head = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(start_paused = true)]
async fn a_connection_accepted_before_the_drain_has_its_first_request_answered() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (connect, arriving) = mpsc::unbounded_channel();
        let (accepted, mut accepts) = mpsc::unbounded_channel();
        let app = Router::new().route("/", get(|| async { "hello" }));
        let app = app.with_state(());
        let (stop, stopped) = oneshot::channel::<()>();
        let server =
            tower_flowctl::serve_with(Streams(arriving), move |_: &DuplexStream, _: &()| {
                accepted.send(()).unwrap();
                app.clone()
            });
        let server = tokio::spawn(server.run_until(stopped));
        let (client, stream) = duplex(64 << 10);
        connect.send(stream).unwrap();
        accepts.recv().await.unwrap();
        stop.send(()).unwrap();
        connect.closed().await;
        sleep(Duration::from_millis(900)).await;
        let answer = ask(client, version).await;
        assert!(answer.ends_with("hello"), "{version:?}: {answer:?}");
        assert_eq!(server.await.unwrap(), End::Drained, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_clients_that_say_nothing() {
    for (timeout, grace) in [
        (Duration::from_secs(30), Duration::from_secs(1)),
        (Duration::from_millis(50), Duration::from_millis(25)),
    ] {
        let (connect, arriving) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tower_flowctl::serve(Streams(arriving), Router::new());
        let server = tokio::spawn(server.drain_timeout(timeout).run_until(stopped));
        let (mut client, stream) = duplex(64);
        connect.send(stream).unwrap();
        // The clock goes on when there is nothing else to do.
        sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        stop.send(()).unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(server.await.unwrap(), End::Drained);
        // A timer is a millisecond late at most.
        let took = begun.elapsed();
        assert!(
            grace <= took && took <= grace + Duration::from_millis(2),
            "{took:?}, not {grace:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_listener_has_under_way_is_served_by_the_drain() {
    for in_time in [true, false] {
        let (connect, arriving) = mpsc::unbounded_channel::<DuplexStream>();
        let (stop, stopped) = oneshot::channel::<()>();
        let (finish, finished) = oneshot::channel();
        let app = Router::new().route("/", get(|| async { "hello" }));
        let server = tower_flowctl::serve(Streams(arriving), app).under_way(|_: Streams| {
            futures_util::stream::once(async move { (finished.await.unwrap(), ()) })
        });
        let server = tokio::spawn(server.run_until(stopped));
        stop.send(()).unwrap();
        // The listener is closed before what it has begun is waited for.
        connect.closed().await;
        let (client, stream) = duplex(64 << 10);
        sleep(Duration::from_millis(if in_time { 900 } else { 1100 })).await;
        assert_eq!(finish.send(stream).is_ok(), in_time);
        if in_time {
            let answer = ask(client, Version::HTTP_11).await;
            assert!(answer.ends_with("hello"), "{answer:?}");
        }
        assert_eq!(server.await.unwrap(), End::Drained);
    }
}
