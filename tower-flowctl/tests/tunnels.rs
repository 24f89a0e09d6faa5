//! Connections that have become something else than HTTP, under admission.
#![cfg(all(feature = "admission", feature = "axum"))]

mod support;

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{StatusCode, header},
    response::Response,
    routing::get,
};
use hyper_util::rt::TokioIo;
use support::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_flowctl::admission::{Admission, Cut, Limits};

/// Sends back whatever comes.
async fn echo(request: Request) -> Response {
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        tokio::io::copy(&mut read, &mut write).await
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "echo")
        .body(Body::empty())
        .unwrap()
}

/// What it sends is no request's head, however long it takes.
#[tokio::test]
async fn an_upgraded_connection_outlives_every_deadline() {
    let limit = Duration::from_millis(100);
    let limits = Limits::none().header(limit).idle(limit).rate(1000, limit);
    let admission = Admission::builder().limits(limits).build().unwrap();
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", get(echo));
    let server = Server::start(admission, app).await;
    let mut tunnel = server.connect().await;
    tunnel
        .send("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        .await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tunnel.io.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    for byte in 0..5 {
        tunnel.io.write_u8(byte).await.unwrap();
        assert_eq!(tunnel.io.read_u8().await.unwrap(), byte);
        let mut idle = server.connect().await;
        idle.get("/").await;
        assert!(
            idle.is_at_end_of_file().await,
            "the deadlines are at work meanwhile"
        );
    }
    let snapshot = server.admission.snapshot();
    assert_eq!(snapshot.states.active, 1);
    assert_eq!(snapshot.cut(Cut::Header), 0);
}
