//! Bad input over real connections: the status on the wire, and every buffer home afterwards.
#![cfg(all(feature = "axum", not(pool_loom)))]

use std::time::Duration;

use axum::{
    Router,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower_pool::{BodyPool, Pool, PooledBody, PooledBytes};

const KIB: usize = 1 << 10;

async fn serve(bodies: BodyPool) -> std::net::SocketAddr {
    let app = Router::new()
        .route(
            "/body",
            post(async |body: PooledBody| body.len().to_string()),
        )
        .route(
            "/bytes",
            post(async |PooledBytes(body): PooledBytes| body.len().to_string()),
        )
        .route("/ready", get(async || ()))
        .with_state(bodies);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Sends `request` and returns the response's status line.
async fn status(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    status_on(&mut stream, request).await
}

async fn status_on(stream: &mut TcpStream, request: &[u8]) -> String {
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut chunk = [0; 4 * KIB];
    loop {
        let read = match stream.read(&mut chunk).await {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return error.to_string(),
        };
        answer.extend_from_slice(&chunk[..read]);
        if answer.windows(4).any(|window| window == b"\r\n\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Waits, on the pool's own bell, until everything is home.
async fn assert_home(pool: &Pool) {
    pool.close(Duration::from_secs(20)).await.unwrap();
    assert_eq!((pool.stats().in_use, pool.stats().allocated), (0, 0));
}

#[tokio::test]
async fn each_bad_request_has_its_status() {
    let pool = Pool::new();
    let bodies = BodyPool::new(pool.clone()).limit(100 * KIB);
    let hasty = serve(bodies.clone().receive_timeout(Duration::from_millis(50))).await;
    let patient = serve(bodies.receive_timeout(Duration::from_secs(600))).await;
    let head = "POST /body HTTP/1.1\r\nhost: x\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    // One byte too many and no more: what the server leaves unread would reset the connection under its answer.
    let large = format!("{:x}\r\n{}", 200 * KIB, "x".repeat(100 * KIB + 1));
    let trailer = "5\r\nhello\r\n5\r\nworld\r\n0\r\nchecksum: 1\r\n\r\n";
    let cases = [
        (
            "announced too large",
            format!("{head}content-length: 1000000\r\n\r\n"),
            "413",
        ),
        (
            "announced too large, asking first",
            format!("{head}content-length: 1000000\r\nexpect: 100-continue\r\n\r\n"),
            "413",
        ),
        (
            "asking first",
            format!("{head}content-length: 5\r\nexpect: 100-continue\r\n\r\n"),
            "100",
        ),
        ("chunked too large", format!("{chunked}{large}"), "413"),
        (
            "stalled",
            format!("{head}content-length: 100\r\n\r\nhello"),
            "408",
        ),
        (
            "broken chunk",
            format!("{chunked}5\r\nhelloworld\r\n"),
            "400",
        ),
        ("trailers", format!("{chunked}{trailer}"), "200"),
        (
            "ten thousand chunks of a byte",
            format!("{chunked}{}0\r\n\r\n", "1\r\nx\r\n".repeat(10_000)),
            "200",
        ),
        (
            "a chunk size that overflows",
            format!("{chunked}fffffffffffffffff\r\nx"),
            "400",
        ),
        (
            "announced twice",
            format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
            "400",
        ),
        (
            "more sent than announced",
            format!("{head}content-length: 5\r\n\r\nhello, world"),
            "200",
        ),
        (
            "whole",
            format!("{head}content-length: 5\r\n\r\nhello"),
            "200",
        ),
    ];
    for (case, request, wanted) in cases {
        let address = if case == "stalled" { hasty } else { patient };
        let status = status(address, request.as_bytes()).await;
        assert!(
            status.starts_with(&format!("HTTP/1.1 {wanted}")),
            "case {case}: {status}"
        );
    }
    assert_home(&pool).await;
}

#[tokio::test]
async fn a_connection_cut_in_mid_body_brings_the_buffer_home() {
    let pool = Pool::new();
    let address = serve(BodyPool::new(pool.clone())).await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&[0; 30 * KIB]).await.unwrap();
        drop(stream);
    }
    assert_home(&pool).await;
}

#[tokio::test]
async fn a_refused_upload_gets_its_answer_and_keeps_its_connection() {
    let pool = Pool::builder().limit(1 << 20).build().unwrap();
    let held = pool.try_acquire(1 << 20).unwrap();
    let bodies = BodyPool::new(pool.clone()).budget_wait(Duration::from_millis(20));
    let address = serve(bodies.limit(1 << 20)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 1048576\r\n\r\n".to_vec();
    request.resize(request.len() + (1 << 20), b'x');
    // All of it, whatever the server says meanwhile.
    stream.write_all(&request).await.unwrap();
    let refused = "HTTP/1.1 503 Service Unavailable";
    assert_eq!(status_on(&mut stream, b"").await, refused);
    drop(held);
    assert_eq!(status_on(&mut stream, &request).await, "HTTP/1.1 200 OK");
    drop(stream);
    assert_home(&pool).await;
}

#[tokio::test]
async fn four_hundred_uploads_share_a_budget_of_sixteen_buffers() {
    let pool = Pool::builder().limit(4 << 20).build().unwrap();
    let address = serve(BodyPool::new(pool.clone()).budget_wait(Duration::from_secs(60))).await;
    let mut request = b"POST /bytes HTTP/1.1\r\nhost: x\r\ncontent-length: 204800\r\n\r\n".to_vec();
    request.resize(request.len() + 200 * KIB, b'x');
    let request: &'static [u8] = request.leak();
    let watch = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut most = 0;
            loop {
                most = pool.stats().allocated.max(most);
                if pool.state() >= tower_pool::State::Closing {
                    return most;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    let mut uploads = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // An answer shows that the connection is accepted: the queue of those that are not never overflows.
        let ready = b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n";
        assert_eq!(status_on(&mut stream, ready).await, "HTTP/1.1 200 OK");
        uploads.push(tokio::spawn(async move {
            status_on(&mut stream, request).await
        }));
    }
    for upload in uploads {
        assert_eq!(upload.await.unwrap(), "HTTP/1.1 200 OK");
    }
    assert_home(&pool).await;
    assert!(watch.await.unwrap() <= 4 << 20, "the budget was exceeded");
}
