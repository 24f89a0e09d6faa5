//! What a request costs in allocations, counted through axum on a connection in memory, where each part that is sent
//! is read on its own however busy the machine is.
//!
//! The baseline is the same request with a body that is chunked and empty, which makes hyper build
//! the same channel for the body as one with frames does.
#![cfg(all(feature = "axum", not(pool_loom)))]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    routing::{get, post},
};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};
use tower::Layer;
use tower_pool::{
    BodyPool, Pool, PooledBody, PooledBodyLayer, PooledBytes, PooledForm, PooledJson,
};

struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A chunked request whose body comes in `pieces` chunks.
fn request(path: &str, body: &[u8], pieces: usize) -> Vec<Vec<u8>> {
    let kind = match path {
        "/form" => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let mut parts = vec![head.into_bytes()];
    if pieces > 0 {
        for piece in body.chunks(body.len().div_ceil(pieces)) {
            let mut part = format!("{:x}\r\n", piece.len()).into_bytes();
            part.extend_from_slice(piece);
            part.extend_from_slice(b"\r\n");
            parts.push(part);
        }
    }
    parts.push(b"0\r\n\r\n".to_vec());
    parts
}

/// Takes its connections from a channel.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl axum::serve::Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Sends the parts, each in a write of its own, and reads the response to its end.
async fn exchange(stream: &mut DuplexStream, parts: &[Vec<u8>], buffer: &mut [u8]) -> usize {
    for part in parts {
        stream.write_all(part).await.unwrap();
        // The server's tasks run until they wait for more.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    }
    let mut filled = 0;
    loop {
        filled += stream.read(&mut buffer[filled..]).await.unwrap();
        let seen = &buffer[..filled];
        let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&seen[..end]).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let at = head.find("content-length: ").unwrap() + 16;
        let length: usize = head[at..].split("\r\n").next().unwrap().parse().unwrap();
        if filled == end + 4 + length {
            return length;
        }
    }
}

/// Allocator calls of one request on a warm connection: the median of many, as now and then one pays for what the time
/// brings about, such as a buffer that was given back meanwhile.
async fn calls(server: &mpsc::UnboundedSender<DuplexStream>, parts: &[Vec<u8>]) -> usize {
    let (mut stream, theirs) = tokio::io::duplex(256 << 10);
    server.send(theirs).unwrap();
    let mut buffer = vec![0; 2 << 20];
    for _ in 0..16 {
        exchange(&mut stream, parts, &mut buffer).await;
    }
    let mut counts = [0; 25];
    for count in &mut counts {
        let before = CALLS.load(Ordering::Relaxed);
        exchange(&mut stream, parts, &mut buffer).await;
        *count = CALLS.load(Ordering::Relaxed) - before;
    }
    let (_, median, _) = counts.select_nth_unstable(12);
    *median
}

/// A form of which no field is kept.
#[derive(serde::Deserialize)]
struct Fields {}

/// A plain tower service.
async fn length(
    request: http::Request<PooledBody>,
) -> Result<http::Response<axum::body::Body>, std::convert::Infallible> {
    Ok(http::Response::new(
        (request.body().len() % 2).to_string().into(),
    ))
}

/// What no layer can be below: it keeps the request's head, as its inner service needs it, while it reads the body, and
/// drops every frame.
async fn discard(
    request: http::Request<axum::body::Body>,
) -> Result<http::Response<axum::body::Body>, std::convert::Infallible> {
    let (head, mut body) = request.into_parts();
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, bytes::Bytes::len);
    }
    drop(head);
    Ok(http::Response::new((length % 2).to_string().into()))
}

#[tokio::test]
async fn a_body_in_pieces_and_a_large_response_cost_at_most_two_allocations_more() {
    let pool = Pool::new();
    let bodies = BodyPool::new(pool.clone());
    let large: Vec<String> = (0..20_000).map(|number| format!("{number:048}")).collect();
    let small: Vec<String> = vec![String::new()];
    let (large, small): (&'static [String], &'static [String]) = (large.leak(), small.leak());
    let app =
        Router::new()
            .route(
                "/body",
                post(|body: PooledBody| async move { (body.len() % 2).to_string() }),
            )
            .route(
                "/bytes",
                post(|PooledBytes(body): PooledBytes| async move { (body.len() % 2).to_string() }),
            )
            .route(
                "/json",
                post(
                    |PooledJson(text): PooledJson<serde::de::IgnoredAny>| async move {
                        let _ = text;
                        "0"
                    },
                ),
            )
            .route(
                "/form",
                post(|PooledForm(form): PooledForm<Fields>| async move {
                    let _ = form;
                    "0"
                }),
            )
            .route("/small", get(move || async move { PooledJson(small) }))
            .route("/large", get(move || async move { PooledJson(large) }))
            .route_service(
                "/layer",
                PooledBodyLayer::new(bodies.clone()).layer(tower::service_fn(length)),
            )
            .route_service("/discarded", tower::service_fn(discard))
            .merge(
                Router::new()
                    .route(
                        "/layer-and-bytes",
                        post(|PooledBytes(body): PooledBytes| async move {
                            (body.len() % 2).to_string()
                        }),
                    )
                    .layer(PooledBodyLayer::new(bodies.clone())),
            )
            .with_state(bodies);
    let (server, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move { axum::serve(Pipes(connections), app).await });

    let body = format!("\"{}\"", "x".repeat((64 << 10) - 2)).into_bytes();
    // A layer keeps the request's headers while it reads the body. They lie in hyper's read buffer, so hyper needs
    // another one: two allocations, which a layer that drops the body pays too. axum's own body type then needs `Bytes`:
    // one more, which is that of `Bytes::from_owner` below.
    let mut floor = usize::MAX;
    for (path, more) in [
        ("/discarded", usize::MAX),
        ("/form", 2),
        ("/body", 2),
        ("/bytes", 2),
        ("/layer", 2),
        ("/layer-and-bytes", 3),
    ] {
        let empty = calls(&server, &request(path, &[], 0)).await;
        let pieces = calls(&server, &request(path, &body, 45)).await;
        println!("{path}: empty {empty}, 64 KiB in 45 pieces {pieces}");
        assert!(
            pieces.saturating_sub(empty) <= more,
            "{path}: {pieces} allocations, {empty} with an empty body"
        );
        match path {
            "/discarded" => floor = pieces.saturating_sub(empty),
            "/layer" => assert!(
                pieces.saturating_sub(empty) <= floor,
                "{path}: above the floor {floor}"
            ),
            "/layer-and-bytes" => assert!(
                pieces.saturating_sub(empty) <= floor + 1,
                "{path}: more than `Bytes` above the floor {floor}"
            ),
            _ => {}
        }
    }
    // JSON cannot be empty: the shortest text stands for the empty body.
    let empty = calls(&server, &request("/json", b"0", 1)).await;
    let pieces = calls(&server, &request("/json", &body, 45)).await;
    println!("/json: shortest {empty}, 64 KiB in 45 pieces {pieces}");
    assert!(
        pieces <= empty + 2,
        "/json: {pieces} allocations, {empty} with the shortest body"
    );

    let get = |path: &str| vec![format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes()];
    let small = calls(&server, &get("/small")).await;
    let large = calls(&server, &get("/large")).await;
    println!("response: small {small}, 1 MiB {large}");
    assert!(
        large <= small + 2,
        "response: {large} allocations, {small} for a small one"
    );

    // The buffer itself: nothing to acquire and release it, one to freeze it.
    let count = |work: &dyn Fn()| {
        work();
        let before = CALLS.load(Ordering::Relaxed);
        work();
        CALLS.load(Ordering::Relaxed) - before
    };
    let frozen = Pool::new();
    assert_eq!(count(&|| drop(frozen.try_acquire(1 << 20))), 0);
    let freeze = || {
        let mut buffer = frozen.try_acquire(100).unwrap();
        buffer.extend_from_slice(b"x").unwrap();
        let bytes = buffer.freeze();
        drop((bytes.clone(), bytes));
    };
    assert_eq!(count(&freeze), 1, "allocations to freeze");

    assert_eq!(pool.stats().in_use, 0);
    assert_eq!(Pool::global().stats().in_use, 0);
}
