//! Responses that are written before their request's body has been read: the client gets them.
#![cfg(all(feature = "admission", feature = "axum"))]

mod support;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
    serve::IncomingStream,
};
use support::{Patience, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::service_fn;
use tower_flowctl::admission::{Admission, AdmissionListener, CountRequests, Limits};

/// More than all buffers on the way hold.
const BODY: usize = 32 << 20;

const REFUSAL: (StatusCode, &str) = (StatusCode::PAYLOAD_TOO_LARGE, "no");

fn lingering(patience: Duration) -> Admission {
    let limits = Limits::none().linger(patience);
    Admission::builder().limits(limits).build().unwrap()
}

async fn refusing(patience: Duration) -> Server {
    let app = Router::new().route("/", post(|| async { REFUSAL }));
    Server::start(lingering(patience), app).await
}

/// By a service that drops the body when it is called, as a limiter at its limit does.
fn refuse_at_once(request: Request) -> Ready<Result<Response, Infallible>> {
    drop(request);
    ready(Ok(REFUSAL.into_response()))
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_body_gets_the_response() {
    // The client's close ends it long before.
    answers_in_full(&refusing(Duration::from_secs(600)).await).await;
}

#[tokio::test]
async fn so_does_one_whose_body_is_refused_when_the_service_is_called() {
    type Incoming<'a> = IncomingStream<'a, AdmissionListener<TcpListener>>;
    let admission = lingering(Duration::from_secs(600));
    let server = Server::start_with(admission, |listener| {
        let make =
            service_fn(|_: Incoming<'_>| ready(Ok::<_, Infallible>(service_fn(refuse_at_once))));
        tokio::spawn(async move { axum::serve(listener, CountRequests::new(make)).await });
    });
    answers_in_full(&server.await).await;
}

async fn answers_in_full(server: &Server) {
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
    let patience = Patience::begin();
    while client.io.write_all(b"1\r\nx\r\n").await.is_ok() {
        patience.check(&"it is not reset");
    }
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
