//! `axum/src/routing/tests/fallback.rs`

use axum::{
    extract::State,
    handler::HandlerWithoutStateExt,
    middleware::{map_request, map_response},
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode};

use crate::methods::get;
use crate::support::{CountingState, Router, TestClient};

async fn unit() {}

async fn inner_fallback() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "inner")
}

async fn outer_fallback() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "outer")
}

/// Asserts which text a 404 of each path has.
async fn misses(app: Router, cases: &[(&str, &str)]) {
    let client = TestClient::new(app);
    for (path, text) in cases {
        client.answers(&format!("GET {path}"), 404, text).await;
    }
}

#[tokio::test]
async fn basic() {
    let app = Router::new()
        .route("/foo", get(unit))
        .fallback(|| async { "fallback" });
    let client = TestClient::new(app);
    client
        .texts(&[("GET /foo", ""), ("GET /does-not-exist", "fallback")])
        .await;
}

#[tokio::test]
async fn nest() {
    let app = Router::new()
        .nest("/foo", Router::new().route("/bar", get(unit)))
        .fallback(|| async { "fallback" });
    let client = TestClient::new(app);
    client
        .texts(&[("GET /foo/bar", ""), ("GET /does-not-exist", "fallback")])
        .await;
}

#[tokio::test]
async fn two() {
    let app = Router::new()
        .route("/first", get(unit))
        .route("/second", get(unit))
        .fallback(axum::routing::get(|| async { "fallback" }));
    let client = TestClient::new(app);
    client.texts(&[("GET /does-not-exist", "fallback")]).await;
}

#[tokio::test]
async fn or() {
    let one = Router::new().route("/one", get(unit));
    let two = Router::new().route("/two", get(unit));
    let client = TestClient::new(one.merge(two).fallback(|| async { "fallback" }));
    client
        .texts(&[
            ("GET /one", ""),
            ("GET /two", ""),
            ("GET /does-not-exist", "fallback"),
        ])
        .await;
}

#[tokio::test]
async fn fallback_accessing_state() {
    let app = Router::new()
        .fallback(|State(state): State<&'static str>| async move { state })
        .with_state("state");
    let client = TestClient::new(app);
    client.texts(&[("GET /does-not-exist", "state")]).await;
}

#[tokio::test]
async fn nested_router_inherits_fallback() {
    let app = Router::new()
        .nest("/foo", Router::new())
        .fallback(outer_fallback);
    misses(app, &[("/foo/bar", "outer")]).await;
}

#[tokio::test]
async fn doesnt_inherit_fallback_if_overridden() {
    let inner = Router::new().fallback(inner_fallback);
    let app = Router::new().nest("/foo", inner).fallback(outer_fallback);
    misses(app, &[("/foo/bar", "inner"), ("/", "outer")]).await;
}

#[tokio::test]
async fn deeply_nested_inherit_from_top() {
    let app = Router::new()
        .nest("/foo", Router::new().nest("/bar", Router::new()))
        .fallback(outer_fallback);
    misses(app, &[("/foo/bar/baz", "outer")]).await;
}

#[tokio::test]
async fn deeply_nested_inherit_from_middle() {
    let middle = Router::new()
        .nest("/bar", Router::new())
        .fallback(outer_fallback);
    let app = Router::new().nest("/foo", middle);
    misses(app, &[("/foo/bar/baz", "outer")]).await;
}

#[tokio::test]
async fn with_middleware_on_inner_fallback() {
    async fn never_called<B>(_: Request<B>) -> Request<B> {
        panic!("should never be called")
    }
    let inner = Router::new().layer(map_request(never_called));
    let app = Router::new().nest("/foo", inner).fallback(outer_fallback);
    misses(app, &[("/foo/bar", "outer")]).await;
}

#[tokio::test]
async fn also_inherits_default_layered_fallback() {
    async fn set_header(mut response: Response) -> Response {
        let one = "1".parse().unwrap();
        response.headers_mut().insert("x-from-fallback", one);
        response
    }
    let app = Router::new()
        .nest("/foo", Router::new())
        .fallback(outer_fallback)
        .layer(map_response(set_header));
    let response = TestClient::new(app).get("/foo/bar").await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-from-fallback"], "1");
    assert_eq!(response.text(), "outer");
}

#[tokio::test]
async fn nest_fallback_on_inner() {
    let inner = Router::new().route("/", get(unit)).fallback(inner_fallback);
    let app = Router::new().nest("/foo", inner).fallback(outer_fallback);
    misses(app, &[("/foo/not-found", "inner")]).await;
}

#[tokio::test]
async fn doesnt_panic_if_used_with_nested_router() {
    let inner = Router::new().nest_service("/foo", axum::routing::get_service(unit.into_service()));
    let app = Router::new().fallback_service(inner.build());
    TestClient::new(app).texts(&[("GET /foo/bar", "")]).await;
}

fn nested_with_fallback() -> Router {
    Router::new().nest("/nested", Router::new().fallback(inner_fallback))
}

#[tokio::test]
async fn issue_2072() {
    let app = nested_with_fallback().merge(Router::new());
    misses(
        app,
        &[("/nested/does-not-exist", "inner"), ("/does-not-exist", "")],
    )
    .await;
}

const INNER_AND_OUTER: &[(&str, &str)] = &[
    ("/nested/does-not-exist", "inner"),
    ("/does-not-exist", "outer"),
];

#[tokio::test]
async fn issue_2072_outer_fallback_before_merge() {
    let app = nested_with_fallback().fallback(outer_fallback);
    misses(app.merge(Router::new()), INNER_AND_OUTER).await;
}

#[tokio::test]
async fn issue_2072_outer_fallback_after_merge() {
    let app = nested_with_fallback().merge(Router::new());
    misses(app.fallback(outer_fallback), INNER_AND_OUTER).await;
}

#[tokio::test]
async fn merge_router_with_fallback_into_nested_router_with_fallback() {
    let app = nested_with_fallback().merge(Router::new().fallback(outer_fallback));
    misses(app, INNER_AND_OUTER).await;
}

#[tokio::test]
async fn merging_nested_router_with_fallback_into_router_with_fallback() {
    let app = Router::new().fallback(outer_fallback);
    misses(app.merge(nested_with_fallback()), INNER_AND_OUTER).await;
}

#[tokio::test]
async fn merge_empty_into_router_with_fallback() {
    let app = Router::new().fallback(outer_fallback).merge(Router::new());
    misses(app, &[("/does-not-exist", "outer")]).await;
}

#[tokio::test]
async fn merge_router_with_fallback_into_empty() {
    let app = Router::new().merge(Router::new().fallback(outer_fallback));
    misses(app, &[("/does-not-exist", "outer")]).await;
}

#[tokio::test]
async fn mna_fallback_with_existing_fallback() {
    let index = get(|| async { "test" }).fallback(|| async { "index fallback" });
    let app = Router::new()
        .route("/", index)
        .route("/path", get(|| async { "path" }))
        .method_not_allowed_fallback(|| async { "method not allowed fallback" });
    let client = TestClient::new(app);
    assert_eq!(client.post("/").await.text(), "index fallback");
    assert_eq!(
        client.post("/path").await.text(),
        "method not allowed fallback"
    );
}

#[tokio::test]
async fn mna_fallback_with_state() {
    let app = Router::new()
        .route("/", get(|| async { "index" }))
        .method_not_allowed_fallback(|State(state): State<&'static str>| async move { state })
        .with_state("state");
    assert_eq!(TestClient::new(app).post("/").await.text(), "state");
}

#[tokio::test]
async fn mna_fallback_with_unused_state() {
    let app = Router::new()
        .route("/", get(|| async { "index" }))
        .with_state(())
        .method_not_allowed_fallback(|| async { "bla" });
    assert_eq!(TestClient::new(app).post("/").await.text(), "bla");
}

#[tokio::test]
async fn state_isnt_cloned_too_much_with_fallback() {
    let state = CountingState::default();
    let app = Router::new()
        .fallback(|_: State<CountingState>| async {})
        .with_state(state.clone());
    let client = TestClient::new(app);
    state.start();
    client.get("/does-not-exist").await;
    assert_eq!(state.count(), 2, "axum: 3 times");
}
