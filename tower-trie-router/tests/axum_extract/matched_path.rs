//! `axum/src/extract/matched_path.rs`

use axum::{
    extract::{MatchedPath, Request},
    handler::HandlerWithoutStateExt,
    middleware::map_request,
};
use tower::ServiceExt;

use crate::methods::{MethodRouter, any, get};
use crate::support::{Router, TestClient};

fn show() -> MethodRouter {
    get(|path: MatchedPath| async move { path.as_str().to_owned() })
}

fn unit() -> MethodRouter {
    get(|| async {})
}

#[tokio::test]
async fn extracting_on_handler() {
    let client = TestClient::new(Router::new().route("/{a}", show()));
    client.texts(&[("GET /foo", "/{a}")]).await;
}

#[tokio::test]
async fn extracting_on_handler_in_nested_router() {
    let app = Router::new().nest("/{a}", Router::new().route("/{b}", show()));
    let client = TestClient::new(app);
    client.texts(&[("GET /foo/bar", "/{a}/{b}")]).await;
}

#[tokio::test]
async fn extracting_on_handler_in_deeply_nested_router() {
    let inner = Router::new().nest("/{b}", Router::new().route("/{c}", show()));
    let client = TestClient::new(Router::new().nest("/{a}", inner));
    client.texts(&[("GET /foo/bar/baz", "/{a}/{b}/{c}")]).await;
}

/// Asserts that a middleware sees this `MatchedPath`, by extractor and by extension.
async fn middleware_sees(app: Router, expected: Option<&'static str>) {
    let check = move |path: Option<MatchedPath>, request: Request| async move {
        let extension = request.extensions().get::<MatchedPath>();
        assert_eq!(extension.map(MatchedPath::as_str), expected);
        assert_eq!(path.as_ref().map(MatchedPath::as_str), expected);
        request
    };
    let client = TestClient::new(app.layer(map_request(check)));
    client.statuses(&[("GET /foo/bar", 200)]).await;
}

fn nested_service() -> Router {
    Router::new().nest_service("/{a}", Router::new().route("/{b}", unit()).build())
}

fn nested() -> Router {
    Router::new().nest("/{a}", Router::new().route("/{b}", unit()))
}

#[tokio::test]
async fn cannot_extract_nested_matched_path_in_middleware() {
    middleware_sees(nested_service(), None).await;
}

#[tokio::test]
async fn can_extract_nested_matched_path_in_middleware_using_nest() {
    middleware_sees(nested(), Some("/{a}/{b}")).await;
}

#[tokio::test]
async fn cannot_extract_nested_matched_path_in_middleware_via_extension() {
    async fn check(request: Request) -> Request {
        assert!(request.extensions().get::<MatchedPath>().is_none());
        request
    }
    let client = TestClient::new(nested_service().layer(map_request(check)));
    client.statuses(&[("GET /foo/bar", 200)]).await;
}

#[tokio::test]
async fn can_extract_nested_matched_path_in_middleware_via_extension_using_nest() {
    let inner = Router::new().get("/{b}", || async {});
    middleware_sees(Router::new().nest("/{a}", inner), Some("/{a}/{b}")).await;
}

#[tokio::test]
async fn can_extract_nested_matched_path_in_middleware_on_nested_router() {
    async fn check(path: MatchedPath, request: Request) -> Request {
        assert_eq!(path.as_str(), "/{a}/{b}");
        request
    }
    let inner = Router::new()
        .route("/{b}", unit())
        .layer(map_request(check));
    let client = TestClient::new(Router::new().nest("/{a}", inner));
    client.statuses(&[("GET /foo/bar", 200)]).await;
}

#[tokio::test]
async fn can_extract_nested_matched_path_in_middleware_on_nested_router_via_extension() {
    async fn check(request: Request) -> Request {
        let path = request.extensions().get::<MatchedPath>().unwrap();
        assert_eq!(path.as_str(), "/{a}/{b}");
        request
    }
    let inner = Router::new()
        .route("/{b}", unit())
        .layer(map_request(check));
    let client = TestClient::new(Router::new().nest("/{a}", inner));
    client.statuses(&[("GET /foo/bar", 200)]).await;
}

#[tokio::test]
async fn extracting_on_nested_handler() {
    async fn handler(path: Option<MatchedPath>) {
        assert!(path.is_none());
    }
    let client = TestClient::new(Router::new().nest_service("/{a}", handler.into_service()));
    client.statuses(&[("GET /foo/bar", 200)]).await;
}

#[tokio::test]
async fn doesnt_panic_if_router_called_from_wildcard_route() {
    let inner = || Router::new().nest("/foo", Router::new().route("/bar", unit()));
    let wildcard = any(move |request: Request| inner().build().oneshot(request));
    let client = TestClient::new(Router::new().route("/{*path}", wildcard));
    client.statuses(&[("GET /foo/bar", 200)]).await;
}

#[tokio::test]
async fn cant_extract_in_fallback() {
    async fn handler(path: Option<MatchedPath>, request: Request) {
        assert!(path.is_none());
        assert!(request.extensions().get::<MatchedPath>().is_none());
    }
    let client = TestClient::new(Router::new().fallback(handler));
    client.statuses(&[("GET /foo/bar", 200)]).await;
}

/// The same without axum's `without_v07_checks`, which has nothing to switch off here.
#[tokio::test]
async fn matching_colon() {
    let client = TestClient::new(Router::new().route("/:foo", show()));
    client.texts(&[("GET /:foo", "/:foo")]).await;
    client
        .statuses(&[("GET /:bar", 404), ("GET /foo", 404)])
        .await;
}

/// The same without axum's `without_v07_checks`, which has nothing to switch off here.
#[tokio::test]
async fn matching_asterisk() {
    let client = TestClient::new(Router::new().route("/*foo", show()));
    client.texts(&[("GET /*foo", "/*foo")]).await;
    client
        .statuses(&[("GET /*bar", 404), ("GET /foo", 404)])
        .await;
}
