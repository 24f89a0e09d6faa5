//! What is wrong with a router's routes is said all at once, and never by a panic of its own.
#![cfg(feature = "axum")]

mod client;

use axum::{
    extract::{FromRequestParts, Path, RawPathParams},
    http::{Method, StatusCode, request::Parts},
    response::Response,
    routing::get,
};
use client::call;
use tower_trie_router::{BuildError, RouteErrorKind, TrieRouter, routing};

async fn nothing() {}

fn kinds(error: &BuildError) -> Vec<(&str, &RouteErrorKind)> {
    error
        .errors()
        .iter()
        .map(|error| (error.pattern(), error.kind()))
        .collect()
}

#[test]
fn every_fault_is_listed_in_order() {
    let other = TrieRouter::new().get("/users", nothing).get("bad", nothing);
    let router = TrieRouter::<()>::new()
        .get("/users", nothing)
        .get("/users", nothing)
        .any("/any", nothing)
        .any("/any", nothing)
        .get("/u/{id}", nothing)
        .get("/u/{name}", nothing)
        .get("/{", nothing)
        .on("/none", [], nothing)
        .nest("/", TrieRouter::new())
        .nest("no-slash", TrieRouter::new())
        .nest("/{*all}", TrieRouter::new())
        .nest_service("/a/{b?}", axum::Router::new())
        .host("a..b", TrieRouter::new())
        .fallback(nothing)
        .merge(TrieRouter::new().fallback(nothing))
        .merge(other)
        .get("/path/{id}", |_: Path<u32>| async {});
    let error = router.try_build().unwrap_err();
    let found = kinds(&error);
    let patterns: Vec<_> = found.iter().map(|(pattern, _)| *pattern).collect();
    assert_eq!(
        patterns,
        [
            "/users",
            "/any",
            "/u/{name}",
            "/{",
            "/none",
            "/",
            "no-slash",
            "/{*all}",
            "/a/{b?}",
            "a..b",
            "/",
            "bad",
            "/users",
            "/path/{id}",
        ],
        "{error}"
    );
    assert!(matches!(found[0].1, RouteErrorKind::MethodTaken { method } if method == "GET"));
    assert!(matches!(found[1].1, RouteErrorKind::MethodTaken { method } if method == "*"));
    assert!(matches!(found[2].1, RouteErrorKind::Pattern(_)));
    assert!(matches!(found[4].1, RouteErrorKind::NoMethod));
    assert!(matches!(found[5].1, RouteErrorKind::Prefix { .. }));
    assert!(matches!(found[9].1, RouteErrorKind::Host { .. }));
    assert!(matches!(found[10].1, RouteErrorKind::FallbackTaken));
    assert!(matches!(found[13].1, RouteErrorKind::AxumPath { .. }));

    let text = error.to_string();
    assert!(text.starts_with("14 faults in the routes\n"), "{text}");
    for expected in [
        "/u/{name}",
        "/u/{id}",
        "`GET /path/{id}` takes `axum::extract::Path<u32>`",
        ".compat()",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn each_call_has_a_twin_that_tells_at_once() {
    let new = || TrieRouter::<()>::new().get("/a", nothing);
    let results: [(&str, Result<TrieRouter, BuildError>); 16] = [
        ("get", new().try_get("/a", nothing)),
        ("on", new().try_on("/a", Method::GET, nothing)),
        ("any", new().any("/a", nothing).try_any("/a", nothing)),
        ("route", new().try_route("/a", routing::get(nothing))),
        ("axum route", new().try_route("/a", get(nothing))),
        ("compat", new().try_compat("/a", get(nothing))),
        (
            "get_service",
            new().try_get_service("/a", axum::Router::new()),
        ),
        (
            "on_service",
            new().try_on_service("/a", Method::GET, axum::Router::new()),
        ),
        (
            "route_service",
            new().try_route_service("b", axum::Router::new()),
        ),
        ("nest", new().try_nest("", new())),
        (
            "nest_service",
            new().try_nest_service("/", axum::Router::new()),
        ),
        ("merge", new().try_merge(new())),
        ("host", new().try_host("a/b", new())),
        ("fallback", new().try_fallback(|_: Path<u32>| async {})),
        (
            "method_not_allowed_fallback",
            new().try_method_not_allowed_fallback(|_: RawPathParams| async {}),
        ),
        (
            "route_layer",
            TrieRouter::new().try_route_layer(axum::Extension(1_u8)),
        ),
    ];
    for (name, result) in results {
        assert!(result.is_err(), "{name}");
    }
    assert!(new().try_post("/a", nothing).is_ok());
    assert!(new().try_route("/a", axum::routing::post(nothing)).is_ok());
}

#[test]
fn build_panics_with_the_list() {
    let router = TrieRouter::<()>::new().get("a", nothing).get("b", nothing);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| router.build()));
    let text = panic.unwrap_err().downcast::<String>().unwrap();
    assert!(text.starts_with("2 faults in the routes"), "{text}");
}

/// An extractor that hides axum's `Path`.
struct Hidden;

impl<S: Send + Sync> FromRequestParts<S> for Hidden {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        use axum::response::IntoResponse;
        let path = Path::<u32>::from_request_parts(parts, state).await;
        path.map(|_| Self).map_err(IntoResponse::into_response)
    }
}

#[tokio::test]
async fn a_hidden_path_is_explained_and_not_a_bare_500() {
    let same_length = "X".repeat("No paths parameters found for matched route".len());
    let app = TrieRouter::new()
        .get("/{id}", |_: Hidden| async {})
        .get("/other", || async {
            (StatusCode::INTERNAL_SERVER_ERROR, "other")
        })
        .get("/same", move || async move {
            (StatusCode::INTERNAL_SERVER_ERROR, same_length)
        })
        .compat("/compat/{id}", get(|_: Hidden| async { "found" }))
        .build();
    let answer = call(&app, "GET", "/7").await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.contains("TrieRouter::compat"),
        "{}",
        answer.body
    );
    assert_eq!(call(&app, "GET", "/other").await.body, "other");
    assert_eq!(call(&app, "GET", "/same").await.body, "X".repeat(43));
    assert_eq!(call(&app, "GET", "/compat/7").await.body, "found");
}
