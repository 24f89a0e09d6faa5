//! `axum/src/routing/method_routing.rs`
//!
//! axum's tests call a `MethodRouter` as a service. Here the method router is the only route of a
//! router, whose method table it becomes.

use std::{future::pending, time::Duration};

use axum::{
    extract::State,
    handler::HandlerWithoutStateExt,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header::ALLOW};
use tower::{layer::util::Identity, service_fn};
use tower_http::{services::ServeDir, timeout::TimeoutLayer};

use crate::methods::{
    MethodRouter, any, connect, delete_service, get, get_service, head, post, put,
};
use crate::support::{Router, bearer, call, faults};

async fn ok() -> &'static str {
    "ok"
}

async fn created() -> (StatusCode, &'static str) {
    (StatusCode::CREATED, "created")
}

/// Calls a method of a router whose only path is `/`.
async fn on(method: Method, app: Router) -> (u16, HeaderMap, String) {
    let (status, headers, text) = call(method, &app.build()).await;
    (status.as_u16(), headers, text)
}

fn app(methods: MethodRouter) -> Router {
    Router::new().route("/", methods)
}

/// Asserts status and text of a method.
async fn answers(methods: &MethodRouter, method: Method, status: u16, text: &str) {
    let (got, _, body) = on(method, app(methods.clone())).await;
    assert_eq!((got, &*body), (status, text));
}

/// Asserts that a method is refused with this `Allow`.
async fn allows(methods: MethodRouter, refused: Method, allow: &str) {
    let (status, headers, _) = on(refused, app(methods)).await;
    assert_eq!(status, 405);
    assert_eq!(headers[ALLOW], allow);
}

#[tokio::test]
async fn method_not_allowed_by_default() {
    answers(&MethodRouter::new(), Method::GET, 405, "").await;
}

#[tokio::test]
async fn get_service_fn() {
    let service = service_fn(|_: axum::extract::Request| async {
        Ok::<_, std::convert::Infallible>(Response::new(axum::body::Body::from("ok")))
    });
    answers(&get_service(service), Method::GET, 200, "ok").await;
}

#[tokio::test]
async fn get_handler() {
    answers(&MethodRouter::new().get(ok), Method::GET, 200, "ok").await;
}

#[tokio::test]
async fn get_accepts_head() {
    answers(&MethodRouter::new().get(ok), Method::HEAD, 200, "").await;
}

#[tokio::test]
async fn head_takes_precedence_over_get() {
    let methods = MethodRouter::new().head(created).get(ok);
    answers(&methods, Method::HEAD, 201, "").await;
}

#[tokio::test]
async fn merge() {
    let methods = get(ok).merge(post(ok)).merge(connect(ok));
    answers(&methods, Method::GET, 200, "ok").await;
    answers(&methods, Method::POST, 200, "ok").await;
    // A tunnel that was made has no body (RFC 9110 §9.3.6).
    answers(&methods, Method::CONNECT, 200, "").await;
}

#[tokio::test]
async fn layer() {
    let methods = MethodRouter::new().get(pending::<()>).layer(bearer());
    answers(&methods, Method::GET, 401, "").await;
    // What answers a method without a handler is wrapped too.
    answers(&methods, Method::DELETE, 401, "").await;
}

#[tokio::test]
async fn route_layer() {
    let methods = MethodRouter::new().get(pending::<()>).route_layer(bearer());
    answers(&methods, Method::GET, 401, "").await;
    answers(&methods, Method::DELETE, 405, "").await;
}

/// axum only compiles this; here it runs too.
#[tokio::test]
async fn building_complex_router() {
    let methods = get(ok)
        .post(ok)
        .route_layer(bearer())
        .merge(delete_service(ServeDir::new(".")))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .put(ok)
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(10),
        ));
    answers(&methods, Method::GET, 401, "").await;
    answers(&methods, Method::PUT, 200, "ok").await;
    answers(&methods, Method::PATCH, 404, "").await;
}

#[tokio::test]
async fn sets_allow_header() {
    let methods = MethodRouter::new().put(ok).patch(ok);
    allows(methods, Method::GET, "PUT,PATCH,OPTIONS").await;
}

#[tokio::test]
async fn sets_allow_header_get_head() {
    let methods = MethodRouter::new().get(ok).head(ok);
    allows(methods, Method::PUT, "GET,HEAD,OPTIONS").await;
}

#[tokio::test]
async fn empty_allow_header_by_default() {
    allows(MethodRouter::new(), Method::PATCH, "OPTIONS").await;
}

/// In the order of the table, not of the merge.
#[tokio::test]
async fn allow_header_when_merging() {
    let methods = put(ok).patch(ok).merge(get(ok).head(ok));
    allows(methods, Method::DELETE, "GET,HEAD,PUT,PATCH,OPTIONS").await;
}

#[tokio::test]
async fn allow_header_any() {
    let (status, headers, _) = on(Method::GET, app(any(ok))).await;
    assert_eq!(status, 200);
    assert!(!headers.contains_key(ALLOW));
}

#[tokio::test]
async fn allow_header_with_fallback() {
    let refuse = || async { (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed") };
    let methods = MethodRouter::new().get(ok).fallback(refuse);
    allows(methods, Method::DELETE, "GET,HEAD,OPTIONS").await;
}

#[tokio::test]
async fn allow_header_with_fallback_that_sets_allow() {
    async fn fallback(method: Method) -> Response {
        if method == Method::POST {
            return "OK".into_response();
        }
        let allow = [(ALLOW, "GET,POST")];
        (StatusCode::METHOD_NOT_ALLOWED, allow, "Method not allowed").into_response()
    }
    let methods = MethodRouter::new().get(ok).fallback(fallback);
    answers(&methods, Method::GET, 200, "ok").await;
    answers(&methods, Method::POST, 200, "OK").await;
    allows(methods, Method::DELETE, "GET,POST").await;
}

#[tokio::test]
async fn allow_header_noop_middleware() {
    let methods = MethodRouter::new().get(ok).layer(Identity::new());
    allows(methods, Method::DELETE, "GET,HEAD,OPTIONS").await;
}

const TAKEN: &str = "already has an endpoint for";

/// Different on purpose: a fault is an error value, here and below. axum's own method router
/// cannot be made to hold this one, so it is asked of the router's.
#[test]
fn handler_overlaps() {
    use tower_trie_router::routing::get;
    let methods = Router::<()>::new().route("/", get(ok).get(ok));
    let fault = faults(methods);
    assert!(
        fault.starts_with(&format!("route `/` {TAKEN} GET")),
        "{fault}"
    );
}

#[test]
fn service_overlaps() {
    use tower_trie_router::routing::post_service;
    let methods = post_service(ok.into_service()).post_service(ok.into_service());
    let fault = faults(Router::<()>::new().route("/", methods));
    assert!(
        fault.starts_with(&format!("route `/` {TAKEN} POST")),
        "{fault}"
    );
}

#[tokio::test]
async fn get_head_does_not_overlap() {
    answers(&get(ok).head(ok), Method::HEAD, 200, "").await;
}

#[tokio::test]
async fn head_get_does_not_overlap() {
    answers(&head(ok).get(ok), Method::GET, 200, "ok").await;
}

async fn state(State(state): State<&'static str>) -> &'static str {
    state
}

/// Gives the method router its state through the router.
async fn answers_with_state(methods: MethodRouter<&'static str>, method: Method) {
    let app = Router::new().route("/", methods).with_state("state");
    let (status, _, text) = on(method, app).await;
    assert_eq!((status, &*text), (200, "state"));
}

#[tokio::test]
async fn accessing_state() {
    answers_with_state(MethodRouter::new().get(state), Method::GET).await;
}

#[tokio::test]
async fn fallback_accessing_state() {
    answers_with_state(MethodRouter::new().fallback(state), Method::GET).await;
}

#[tokio::test]
async fn merge_accessing_state() {
    for method in [Method::GET, Method::POST] {
        answers_with_state(get(state).merge(post(state)), method).await;
    }
}
