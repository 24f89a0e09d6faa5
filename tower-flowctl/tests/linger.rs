//! Responses that are written before their request's body has been read: the client gets them.
#![cfg(all(feature = "admission", feature = "axum"))]

mod support;

use std::time::Duration;

use axum::{Router, http::StatusCode, routing::post};
use support::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_flowctl::admission::{Admission, Limits};

/// More than all buffers on the way hold.
const BODY: usize = 32 << 20;

async fn refusing(linger: Duration) -> Server {
    let limits = Limits::none().linger(linger);
    let admission = Admission::builder().limits(limits).build().unwrap();
    let app = Router::new().route(
        "/",
        post(|| async { (StatusCode::PAYLOAD_TOO_LARGE, "no") }),
    );
    Server::start(admission, app).await
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_body_gets_the_response() {
    // The client's close ends it long before.
    let server = refusing(Duration::from_secs(600)).await;
    let mut client = server.connect().await;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY}\r\n\r\n");
    client.send(&head).await;
    client.io.write_all(&vec![b'x'; BODY]).await.unwrap();
    let mut answer = String::new();
    client.io.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno"), "{answer}");
    drop(client);
    server.until(|snapshot| snapshot.open == 0).await;
}

#[tokio::test]
async fn a_client_that_sends_for_ever_is_reset() {
    let server = refusing(Duration::from_millis(50)).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    while client.io.write_all(b"1\r\nx\r\n").await.is_ok() {}
    server.until(|snapshot| snapshot.open == 0).await;
}

#[tokio::test]
async fn a_reset_ends_the_patience() {
    let server = refusing(Duration::from_secs(600)).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut answer = String::new();
    client.io.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let drained = server.admission.drain(Duration::ZERO).await;
    assert_eq!(drained.cut.len(), 1, "{drained:?}");
    server.until(|snapshot| snapshot.open == 0).await;
}
