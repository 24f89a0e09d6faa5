//! `axum/src/extract/nested_path.rs`

use axum::{
    extract::{NestedPath, Request},
    middleware::{Next, from_fn},
    response::Response,
};

use crate::methods::get;
use crate::support::{Router, TestClient};

async fn show(path: NestedPath) -> String {
    path.as_str().to_owned()
}

fn api() -> Router {
    Router::new().route("/users", get(show))
}

#[tokio::test]
async fn one_level_of_nesting() {
    let client = TestClient::new(Router::new().nest("/api", api()));
    client.texts(&[("GET /api/users", "/api")]).await;
}

#[tokio::test]
async fn one_level_of_nesting_with_trailing_slash() {
    let client = TestClient::new(Router::new().nest("/api/", api()));
    client.texts(&[("GET /api/users", "/api/")]).await;
}

#[tokio::test]
async fn two_levels_of_nesting() {
    let client = TestClient::new(Router::new().nest("/api", Router::new().nest("/v2", api())));
    client.texts(&[("GET /api/v2/users", "/api/v2")]).await;
}

#[tokio::test]
async fn two_levels_of_nesting_with_trailing_slash() {
    let client = TestClient::new(Router::new().nest("/api/", Router::new().nest("/v2", api())));
    client.texts(&[("GET /api/v2/users", "/api/v2")]).await;
}

#[tokio::test]
async fn in_fallbacks() {
    let inner = Router::new().fallback(axum::routing::get(show));
    let client = TestClient::new(Router::new().nest("/api", inner));
    client.texts(&[("GET /api/doesnt-exist", "/api")]).await;
}

#[tokio::test]
async fn in_middleware() {
    async fn middleware(path: NestedPath, request: Request, next: Next) -> Response {
        assert_eq!(path.as_str(), "/api");
        next.run(request).await
    }
    let inner = Router::new()
        .route("/users", get(|| async {}))
        .layer(from_fn(middleware));
    let client = TestClient::new(Router::new().nest("/api", inner));
    client.statuses(&[("GET /api/users", 200)]).await;
}
