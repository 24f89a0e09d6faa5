//! `axum/src/routing/tests/merge.rs`

use std::{convert::Infallible, future::pending, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{OriginalUri, Request},
    response::Response,
};
use http::Uri;
use serde_json::{Value, json};
use tower::{limit::ConcurrencyLimitLayer, service_fn};
use tower_http::timeout::TimeoutLayer;

use crate::methods::{MethodRouter, get, get_service};
use crate::support::{Router, TestClient, bearer};

fn unit() -> MethodRouter {
    get(|| async {})
}

#[tokio::test]
async fn basic() {
    let one = Router::new().route("/foo", unit()).route("/bar", unit());
    let two = Router::new().route("/baz", unit());
    let client = TestClient::new(one.merge(two));
    client
        .statuses(&[
            ("GET /foo", 200),
            ("GET /bar", 200),
            ("GET /baz", 200),
            ("GET /qux", 404),
        ])
        .await;
}

#[tokio::test]
async fn multiple_ors_balanced_differently() {
    let names = ["one", "two", "three", "four"];
    let router = |name: &'static str| {
        Router::new().route(&format!("/{name}"), get(move || async move { name }))
    };
    let [one, two, three, four] = names.map(router);
    let shapes = [
        one.clone()
            .merge(two.clone())
            .merge(three.clone())
            .merge(four.clone()),
        one.clone()
            .merge(two.clone())
            .merge(three.clone().merge(four.clone())),
        one.clone()
            .merge(two.clone().merge(three.clone()).merge(four.clone())),
        one.merge(two.merge(three.merge(four))),
    ];
    for app in shapes {
        let client = TestClient::new(app);
        for name in names {
            client.answers(&format!("GET /{name}"), 200, name).await;
        }
    }
}

#[tokio::test]
async fn nested_or() {
    let bar = Router::new().route("/bar", get(|| async { "bar" }));
    let baz = Router::new().route("/baz", get(|| async { "baz" }));
    let bar_or_baz = bar.merge(baz);

    let client = TestClient::new(bar_or_baz.clone());
    client
        .texts(&[("GET /bar", "bar"), ("GET /baz", "baz")])
        .await;
    let client = TestClient::new(Router::new().nest("/foo", bar_or_baz));
    client
        .texts(&[("GET /foo/bar", "bar"), ("GET /foo/baz", "baz")])
        .await;
}

#[tokio::test]
async fn or_with_route_following() {
    let one = Router::new().route("/one", get(|| async { "one" }));
    let two = Router::new().route("/two", get(|| async { "two" }));
    let app = one.merge(two).route("/three", get(|| async { "three" }));
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /one", "one"),
            ("GET /two", "two"),
            ("GET /three", "three"),
        ])
        .await;
}

#[tokio::test]
async fn layer() {
    let one = Router::new().route("/foo", unit());
    let two = Router::new()
        .route("/bar", unit())
        .layer(ConcurrencyLimitLayer::new(10));
    let client = TestClient::new(one.merge(two));
    client
        .statuses(&[("GET /foo", 200), ("GET /bar", 200)])
        .await;
}

#[tokio::test]
async fn layer_and_handle_error() {
    let one = Router::new().route("/foo", unit());
    let two =
        Router::new()
            .route("/timeout", get(pending::<()>))
            .layer(TimeoutLayer::with_status_code(
                http::StatusCode::REQUEST_TIMEOUT,
                Duration::from_millis(10),
            ));
    let client = TestClient::new(one.merge(two));
    client
        .statuses(&[("GET /timeout", 408), ("GET /foo", 200)])
        .await;
}

#[tokio::test]
async fn nesting() {
    let one = Router::new().route("/foo", unit());
    let two = Router::new().nest("/bar", Router::new().route("/baz", unit()));
    let client = TestClient::new(one.merge(two));
    client.statuses(&[("GET /bar/baz", 200)]).await;
}

#[tokio::test]
async fn boxed() {
    let one = Router::new().route("/foo", unit());
    let two = Router::new().route("/bar", unit());
    let client = TestClient::new(one.merge(two));
    client.statuses(&[("GET /bar", 200)]).await;
}

#[tokio::test]
async fn many_ors() {
    let app = (1..=7).fold(Router::new(), |app, n| {
        app.merge(Router::new().route(&format!("/r{n}"), unit()))
    });
    let client = TestClient::new(app);
    for n in 1..=7 {
        client.statuses(&[(&format!("GET /r{n}"), 200)]).await;
    }
    client.statuses(&[("GET /r8", 404)]).await;
}

#[tokio::test]
async fn services() {
    let service = || {
        get_service(service_fn(|_: Request| async {
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }))
    };
    let app = Router::new()
        .route("/foo", service())
        .merge(Router::new().route("/bar", service()));
    let client = TestClient::new(app);
    client
        .statuses(&[("GET /foo", 200), ("GET /bar", 200)])
        .await;
}

async fn all_the_uris(
    uri: Uri,
    OriginalUri(original): OriginalUri,
    request: Request,
) -> Json<Value> {
    Json(json!([
        uri.to_string(),
        request.uri().to_string(),
        original.to_string()
    ]))
}

/// Asserts what a handler at each path sees as its URI; the original is always the path.
async fn sees(app: Router, cases: &[(&str, &str)]) {
    let client = TestClient::new(app);
    for (path, uri) in cases {
        let response = client.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.json(), json!([uri, uri, path]), "{path}");
    }
}

#[tokio::test]
async fn nesting_and_seeing_the_right_uri() {
    let one = Router::new().nest("/foo/", Router::new().route("/bar", get(all_the_uris)));
    let two = Router::new().route("/foo", get(all_the_uris));
    sees(one.merge(two), &[("/foo/bar", "/bar"), ("/foo", "/foo")]).await;
}

#[tokio::test]
async fn nesting_and_seeing_the_right_uri_at_more_levels_of_nesting() {
    let inner = Router::new().route("/baz", get(all_the_uris));
    let one = Router::new().nest("/foo/", Router::new().nest("/bar", inner));
    let two = Router::new().route("/foo", get(all_the_uris));
    sees(
        one.merge(two),
        &[("/foo/bar/baz", "/baz"), ("/foo", "/foo")],
    )
    .await;
}

#[tokio::test]
async fn nesting_and_seeing_the_right_uri_ors_with_nesting() {
    let inner = Router::new().route("/baz", get(all_the_uris));
    let one = Router::new().nest("/one", Router::new().nest("/bar", inner));
    let two = Router::new().nest("/two", Router::new().route("/qux", get(all_the_uris)));
    let three = Router::new().route("/three", get(all_the_uris));
    sees(
        one.merge(two).merge(three),
        &[
            ("/one/bar/baz", "/baz"),
            ("/two/qux", "/qux"),
            ("/three", "/three"),
        ],
    )
    .await;
}

#[tokio::test]
async fn nesting_and_seeing_the_right_uri_ors_with_multi_segment_uris() {
    let inner = Router::new().route("/bar", get(all_the_uris));
    let one = Router::new().nest("/one", Router::new().nest("/foo", inner));
    let two = Router::new().route("/two/foo", get(all_the_uris));
    sees(
        one.merge(two),
        &[("/one/foo/bar", "/bar"), ("/two/foo", "/two/foo")],
    )
    .await;
}

#[tokio::test]
async fn middleware_that_return_early() {
    let private = Router::new().route("/", unit()).layer(bearer());
    let public = Router::new().route("/public", unit());
    let client = TestClient::new(private.merge(public));

    let authorized = client.get("/").header("authorization", "Bearer password");
    assert_eq!(authorized.await.status(), 200);
    client
        .statuses(&[
            ("GET /", 401),
            ("GET /doesnt-exist", 404),
            ("GET /public", 200),
        ])
        .await;
}
