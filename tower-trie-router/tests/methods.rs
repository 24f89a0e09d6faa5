//! Method routing: verbs, "any", extension methods, 405 and `Allow`.
#![cfg(feature = "axum")]

mod client;

use axum::{
    http::{Method, StatusCode},
    routing::MethodFilter,
};
use client::call;
use tower_trie_router::{Automatic, TrieRouter, TrieService, routing};

fn app() -> TrieService {
    let purge = Method::from_bytes(b"PURGE").unwrap();
    TrieRouter::new()
        .get("/users/{id}", || async { "show" })
        .put("/users/{id}", || async { "replace" })
        .on("/users/{id}", purge, || async { "purge" })
        .any("/any", || async { "any" })
        .get("/any", || async { "get before any" })
        .on(
            "/filter",
            MethodFilter::POST.or(MethodFilter::DELETE),
            || async { "filtered" },
        )
        .route("/table", routing::get("got").post("posted"))
        .connect("/tunnel", || async { "connected" })
        .build()
}

#[tokio::test]
async fn each_method_has_its_endpoint() {
    let app = app();
    let cases = [
        ("GET", "/users/1", 200, "show", None),
        ("HEAD", "/users/1", 200, "", None),
        ("PUT", "/users/1", 200, "replace", None),
        ("PURGE", "/users/1", 200, "purge", None),
        (
            "POST",
            "/users/1",
            405,
            "",
            Some("GET,HEAD,PUT,OPTIONS,PURGE"),
        ),
        (
            "LOCK",
            "/users/1",
            405,
            "",
            Some("GET,HEAD,PUT,OPTIONS,PURGE"),
        ),
        (
            "OPTIONS",
            "/users/1",
            204,
            "",
            Some("GET,HEAD,PUT,OPTIONS,PURGE"),
        ),
        ("GET", "/any", 200, "get before any", None),
        ("HEAD", "/any", 200, "", None),
        ("POST", "/any", 200, "any", None),
        ("OPTIONS", "/any", 200, "any", None),
        ("LOCK", "/any", 200, "any", None),
        ("POST", "/filter", 200, "filtered", None),
        ("DELETE", "/filter", 200, "filtered", None),
        ("GET", "/filter", 405, "", Some("POST,DELETE,OPTIONS")),
        ("HEAD", "/filter", 405, "", Some("POST,DELETE,OPTIONS")),
        ("GET", "/table", 200, "got", None),
        ("POST", "/table", 200, "posted", None),
        ("PATCH", "/table", 405, "", Some("GET,HEAD,POST,OPTIONS")),
        ("GET", "/nowhere", 404, "", None),
        ("GET", "/users", 404, "", None),
        // A success to CONNECT has no content.
        ("CONNECT", "/tunnel", 200, "", None),
    ];
    for (method, path, status, body, allow) in cases {
        let answer = call(&app, method, path).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_eq!(answer.body, body, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn the_handler_of_refused_methods_keeps_allow() {
    let app = TrieRouter::new()
        .get("/a", || async { "a" })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "refused") })
        .get("/later", || async { "later" })
        .route(
            "/own",
            routing::get("own").fallback(|| async { "own refusal" }),
        )
        .automatic_options(Automatic::Off)
        .build();
    for (method, path, status, body, allow) in [
        ("POST", "/a", 405, "refused", Some("GET,HEAD")),
        ("OPTIONS", "/a", 405, "refused", Some("GET,HEAD")),
        ("POST", "/later", 405, "", Some("GET,HEAD")),
        ("POST", "/own", 200, "own refusal", Some("GET,HEAD")),
        ("GET", "/none", 404, "", None),
    ] {
        let answer = call(&app, method, path).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_eq!(answer.body, body, "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn requests_without_a_path_reach_the_fallback_or_nothing() {
    let without = app();
    let with = TrieRouter::new()
        .get("/", || async { "root" })
        .fallback(|| async { "fallback" })
        .automatic_options(Automatic::Off)
        .build();
    for (method, uri) in [("CONNECT", "example.com:443"), ("OPTIONS", "*")] {
        let answer = call(&with, method, uri).await;
        assert_eq!(answer.status, 200, "{method} {uri}");
    }
    assert_eq!(
        call(&without, "CONNECT", "example.com:443").await.status,
        404
    );
    let server = call(&without, "OPTIONS", "*").await;
    assert_eq!(server.status, 204);
    let allow = "GET,HEAD,POST,PUT,DELETE,OPTIONS,CONNECT,PURGE";
    assert_eq!(server.header("allow"), Some(allow));
}
