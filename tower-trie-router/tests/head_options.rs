//! What the router answers by itself to `HEAD` and `OPTIONS`.
#![cfg(feature = "axum")]

mod client;

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{StatusCode, header},
    response::Response,
};
use client::call;
use http_body::Frame;
use tower_trie_router::{Automatic, TrieRouter};

/// A body whose length is not known beforehand.
struct Streamed(Option<Bytes>);

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }
}

fn streamed() -> Response {
    Response::new(Body::new(Streamed(Some(Bytes::from_static(b"streamed")))))
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let app = TrieRouter::new()
        .get("/text", || async { "twelve bytes" })
        .get("/own-length", || async {
            ([(header::CONTENT_LENGTH, "99")], "short")
        })
        .get("/stream", || async { streamed() })
        .get("/empty", || async {})
        .get("/no-content", || async { StatusCode::NO_CONTENT })
        .get("/unchanged", || async { StatusCode::NOT_MODIFIED })
        .get("/both", || async { "get" })
        .head("/both", || async { [("x-head", "own")] })
        .post("/post", || async { "post" })
        .build();
    for (path, status, length, own) in [
        ("/text", 200, Some("12"), None),
        ("/own-length", 200, Some("99"), None),
        ("/stream", 200, None, None),
        ("/empty", 200, Some("0"), None),
        ("/no-content", 204, None, None),
        ("/unchanged", 304, None, None),
        ("/both", 200, Some("0"), Some("own")),
        ("/post", 405, None, None),
    ] {
        let answer = call(&app, "HEAD", path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.body, "", "{path}");
        assert_eq!(answer.header("content-length"), length, "{path}");
        assert_eq!(answer.header("x-head"), own, "{path}");
    }
}

#[tokio::test]
async fn both_can_be_switched_off() {
    let app = TrieRouter::new()
        .get("/a", || async { "a" })
        .options("/o", || async { "own options" })
        .automatic_head(Automatic::Off)
        .automatic_options(Automatic::Off)
        .build();
    for (method, path, status, body, allow) in [
        ("HEAD", "/a", 405, "", Some("GET")),
        ("OPTIONS", "/a", 405, "", Some("GET")),
        ("OPTIONS", "/o", 200, "own options", None),
        ("GET", "/o", 405, "", Some("OPTIONS")),
        ("OPTIONS", "*", 404, "", None),
    ] {
        let answer = call(&app, method, path).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_eq!(answer.body, body, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn options_lists_what_is_answered() {
    let app = TrieRouter::new()
        .get("/a", || async {})
        .delete("/a", || async {})
        .options("/own", || async { "own" })
        .any("/any", || async { "any" })
        .build();
    for (path, status, body, allow) in [
        ("/a", 204, "", Some("GET,HEAD,DELETE,OPTIONS")),
        ("/own", 200, "own", None),
        ("/any", 200, "any", None),
        ("/none", 404, "", None),
    ] {
        let answer = call(&app, "OPTIONS", path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.body, body, "{path}");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
}
