//! Swaps under load: every request is answered by exactly one generation, over real connections that stay open.
//!
//! The same at its full count, beside the reloads of nginx and caddy, is the suite `hotswap` of the benches.
#![cfg(all(feature = "axum", not(hotswap_loom)))]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tower_hotswap::{Handle, Version};

const SWAPS: u64 = 400;
const HTTP1_CONNECTIONS: usize = 12;
const HTTP2_CONNECTIONS: usize = 4;
const STREAMS: usize = 4;
const UPLOAD: usize = 64 << 10;

type Number = Arc<u64>;

/// Everything a router of this generation says has its number.
fn routes(number: Number) -> Router {
    Router::new()
        .route(
            "/quick",
            get(|State(number): State<Number>| async move { number.to_string() }),
        )
        .route("/stream", get(streamed))
        .route("/upload", post(uploaded))
        .with_state(number)
}

async fn streamed(State(number): State<Number>) -> Body {
    Body::from_stream(stream::iter(0..5).then(move |_| {
        let number = number.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            Ok::<_, Infallible>(format!("{number} "))
        }
    }))
}

async fn uploaded(State(number): State<Number>, body: Body) -> String {
    let body = body.collect().await.unwrap().to_bytes();
    format!("{number} {}", body.len())
}

fn version(number: u64) -> Version {
    Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes())
}

type Upload = UnsyncBoxBody<Bytes, Infallible>;

/// The requests of the load, one after the other.
fn request(turn: usize, address: SocketAddr) -> (Request<Upload>, &'static str) {
    let path = ["/quick", "/stream", "/upload"][turn % 3];
    let body = if path == "/upload" {
        let pieces = stream::iter(0..4).then(|_| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(Frame::data(Bytes::from(vec![b'x'; UPLOAD / 4])))
        });
        Upload::new(StreamBody::new(pieces))
    } else {
        Upload::new(Empty::new())
    };
    let method = if path == "/upload" { "POST" } else { "GET" };
    let uri = format!("http://{address}{path}");
    (
        Request::builder()
            .method(method)
            .uri(uri)
            .header("host", address.to_string())
            .body(body)
            .unwrap(),
        path,
    )
}

/// One generation answered, and all of it.
async fn check(path: &str, response: Response<Incoming>, floor: u64) {
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let body = response.into_body().collect().await.expect(path).to_bytes();
    let text = std::str::from_utf8(&body).unwrap();
    let words: Vec<u64> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    let number = words[0];
    match path {
        "/quick" => assert_eq!(words.len(), 1, "{text}"),
        "/stream" => assert_eq!(words, [number; 5], "mixed"),
        _ => assert_eq!(words, [number, UPLOAD as u64]),
    }
    assert!(
        number >= floor,
        "{path} was answered by {number} after {floor} was published"
    );
}

#[derive(Clone)]
struct Load {
    address: SocketAddr,
    /// The newest generation whose publication returned.
    published: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
}

impl Load {
    async fn http1(self, first: usize) {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        let mut turn = first;
        while !self.done.load(Ordering::SeqCst) {
            let (request, path) = request(turn, self.address);
            sender.ready().await.expect("the connection stays open");
            let floor = self.published.load(Ordering::SeqCst) as u64;
            let response = sender.send_request(request).await.expect(path);
            check(path, response, floor).await;
            self.answered.fetch_add(1, Ordering::SeqCst);
            turn += 1;
        }
    }

    async fn http2(self, first: usize) {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let io = TokioIo::new(socket);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let streams: Vec<_> = (0..STREAMS)
            .map(|stream| {
                let (mut sender, load) = (sender.clone(), self.clone());
                tokio::spawn(async move {
                    let mut turn = first + stream;
                    while !load.done.load(Ordering::SeqCst) {
                        let (request, path) = request(turn, load.address);
                        sender.ready().await.expect("the connection stays open");
                        let floor = load.published.load(Ordering::SeqCst) as u64;
                        let response = sender.send_request(request).await.expect(path);
                        check(path, response, floor).await;
                        load.answered.fetch_add(1, Ordering::SeqCst);
                        turn += 1;
                    }
                })
            })
            .collect();
        for stream in streams {
            stream.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_lose_nothing_and_leave_nothing() {
    let first = Arc::new(0);
    let mut alive: Vec<Weak<u64>> = vec![Arc::downgrade(&first)];
    let handle = Handle::builder(routes(first), version(0))
        .history(4)
        .build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = handle.service().into_make_service();
    tokio::spawn(async { axum::serve(listener, app).await });

    let load = Load {
        address,
        published: Arc::default(),
        done: Arc::default(),
        answered: Arc::default(),
    };
    let http1 = (0..HTTP1_CONNECTIONS).map(|first| tokio::spawn(load.clone().http1(first)));
    let mut clients: Vec<_> = http1.collect();
    clients.extend((0..HTTP2_CONNECTIONS).map(|first| tokio::spawn(load.clone().http2(first))));

    for number in 1..=SWAPS {
        let next = Arc::new(number);
        alive.push(Arc::downgrade(&next));
        handle.swap(routes(next), version(number)).unwrap();
        load.published.store(number as usize, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    load.done.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let answered = load.answered.load(Ordering::SeqCst);
    assert!(answered > 100, "{answered} requests are no load");
    for number in 0..SWAPS {
        handle.drained(version(number)).await;
    }
    assert_eq!(
        handle.generations().len(),
        1,
        "every old generation drained"
    );
    let left = alive
        .iter()
        .filter(|number| number.strong_count() > 0)
        .count();
    assert_eq!(left, 4, "the history's, and no other");
}
