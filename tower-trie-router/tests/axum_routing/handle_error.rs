//! `axum/src/routing/tests/handle_error.rs`

use std::{future::pending, time::Duration};

use axum::{BoxError, ServiceExt, error_handling::HandleErrorLayer, handler::Handler};
use http::StatusCode;
use tower::timeout::TimeoutLayer;

use crate::methods::{MethodRouter, delete, get_service};
use crate::support::{Router, TestClient};

async fn unit() {}

/// A `GET` handler that never answers, cut off by a fallible layer and its error handler.
fn slow_get(to: MethodRouter) -> MethodRouter {
    let timeout = TimeoutLayer::new(Duration::from_millis(10));
    let refuse = |_: BoxError| async { StatusCode::REQUEST_TIMEOUT };
    to.get(pending::<()>.layer((HandleErrorLayer::new(refuse), timeout)))
}

async fn times_out(route: MethodRouter) {
    let client = TestClient::new(Router::new().route("/", route));
    client.statuses(&[("GET /", 408)]).await;
}

#[tokio::test]
async fn handler() {
    times_out(slow_get(MethodRouter::new())).await;
}

#[tokio::test]
async fn handler_multiple_methods_first() {
    times_out(slow_get(MethodRouter::new()).post(unit)).await;
}

#[tokio::test]
async fn handler_multiple_methods_middle() {
    times_out(slow_get(delete(unit)).post(unit)).await;
}

#[tokio::test]
async fn handler_multiple_methods_last() {
    times_out(slow_get(delete(unit))).await;
}

#[tokio::test]
async fn handler_service_ext() {
    let fallible = tower::service_fn(|_| async { Err::<(), ()>(()) });
    let service = fallible.handle_error(|_| async { StatusCode::INTERNAL_SERVER_ERROR });
    let client = TestClient::new(Router::new().route("/", get_service(service)));
    client.statuses(&[("GET /", 500)]).await;
}
