//! A server for clients that test it: what they ask for tells them what arrived.
//!
//! `cargo run -p tower-flowctl --features serve --example peer`; the other end is `tower-flowctl/scripts/peer.py`. With
//! the argument `plain` it is served by `axum::serve`, for comparison.

use std::net::Ipv4Addr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower_flowctl::http2::StreamPriority;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    if std::env::args().any(|argument| argument == "plain") {
        axum::serve(listener, app()).await
    } else {
        tower_flowctl::serve(listener, app()).run().await;
        Ok(())
    }
}

fn app() -> Router {
    Router::new()
        .route("/bytes/{count}", get(bytes))
        .route("/priority", get(priority))
        .route("/echo", post(echo))
        .route("/trailers", post(trailers))
        .route("/headers", any(headers))
        .route("/tunnel", any(tunnel))
}

async fn bytes(Path(count): Path<usize>) -> Bytes {
    vec![b'x'; count].into()
}

/// The priority in force, in the form of the field.
async fn priority() -> String {
    match StreamPriority::current() {
        Some(stream) => stream.get().map_or_else(String::new, |priority| {
            let incremental = u8::from(priority.is_incremental());
            format!("u={}, i={incremental}", priority.urgency())
        }),
        None => "none".to_owned(),
    }
}

/// The request's body, as it comes.
async fn echo(request: Request) -> Body {
    request.into_body()
}

/// The request's trailers as those of the response.
async fn trailers(request: Request) -> Response {
    match request.into_body().collect().await {
        Ok(body) => {
            let mut trailers = body.trailers().cloned().unwrap_or_default();
            trailers.insert("x-length", HeaderValue::from(body.to_bytes().len()));
            let frames = [
                Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(b"body"))),
                Ok(Frame::trailers(trailers)),
            ];
            Body::new(StreamBody::new(futures_util::stream::iter(frames))).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// How many fields arrived, and the length of their values.
async fn headers(headers: HeaderMap) -> String {
    let values: usize = headers.values().map(HeaderValue::len).sum();
    format!("{} {values}", headers.len())
}

/// Extended CONNECT (RFC 8441): what comes through the tunnel goes back.
async fn tunnel(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
            // Whichever end fails, the tunnel is over.
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = tokio::io::AsyncWriteExt::shutdown(&mut write).await;
        }
    });
    [(HeaderName::from_static("x-tunnel"), "open")].into_response()
}
