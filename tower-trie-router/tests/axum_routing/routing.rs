//! `axum/src/routing/tests/mod.rs`

use std::{
    convert::Infallible,
    future::{Ready, pending, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRef, Request, State},
    handler::{Handler, HandlerWithoutStateExt},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::MethodFilter,
};
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_LENGTH};
use http_body_util::BodyExt;
use serde_json::json;
use tower::{Service, ServiceExt, service_fn, util::MapResponseLayer};
use tower_http::{
    compression::{CompressionLayer, predicate::SizeAbove},
    limit::RequestBodyLimitLayer,
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tower_trie_router::Path;

use crate::methods::{get, get_service, on, on_service, patch, patch_service, post};
use crate::support::{CountingState, Router, TestClient, bearer, faults};

async fn unit() {}

/// A handler that takes the whole request and answers with a text.
fn says(
    text: &'static str,
) -> impl Fn(Request) -> Ready<&'static str> + Clone + Send + Sync + 'static {
    move |_| ready(text)
}

#[tokio::test]
async fn hello_world() {
    let app = Router::new()
        .route("/", get(says("Hello, World!")).post(says("foo")))
        .route("/users", post(says("users#create")));
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /", "Hello, World!"),
            ("POST /", "foo"),
            ("POST /users", "users#create"),
        ])
        .await;
}

#[tokio::test]
async fn routing() {
    let app = Router::new()
        .route(
            "/users",
            get(says("users#index")).post(says("users#create")),
        )
        .route("/users/{id}", get(says("users#show")))
        .route("/users/{id}/action", get(says("users#action")));
    let client = TestClient::new(app);
    client.statuses(&[("GET /", 404)]).await;
    client
        .texts(&[
            ("GET /users", "users#index"),
            ("POST /users", "users#create"),
            ("GET /users/1", "users#show"),
            ("GET /users/1/action", "users#action"),
        ])
        .await;
}

#[tokio::test]
async fn router_type_doesnt_change() {
    let route = on(MethodFilter::GET, says("hi from GET"));
    let app: Router = Router::new()
        .route("/", route.on(MethodFilter::POST, says("hi from POST")))
        .layer(TraceLayer::new_for_http());
    let client = TestClient::new(app);
    client
        .texts(&[("GET /", "hi from GET"), ("POST /", "hi from POST")])
        .await;
}

#[tokio::test]
async fn routing_between_services() {
    let service = |text: &'static str| {
        service_fn(
            move |_: Request| async move { Ok::<_, Infallible>(Response::new(Body::from(text))) },
        )
    };
    let one = get_service(service("one get"))
        .post_service(service("one post"))
        .on_service(MethodFilter::PUT, service("one put"));
    let two = on_service(MethodFilter::GET, says("handler").into_service());
    let client = TestClient::new(Router::new().route("/one", one).route("/two", two));
    client
        .texts(&[
            ("GET /one", "one get"),
            ("POST /one", "one post"),
            ("PUT /one", "one put"),
            ("GET /two", "handler"),
        ])
        .await;
}

#[tokio::test]
async fn middleware_on_single_route() {
    let handler = says("Hello, World!").layer(TraceLayer::new_for_http());
    let client = TestClient::new(Router::new().route("/", get(handler)));
    client.texts(&[("GET /", "Hello, World!")]).await;
}

#[tokio::test]
async fn service_in_bottom() {
    async fn handler(_: Request) -> Result<Response<Body>, Infallible> {
        Ok(Response::new(Body::empty()))
    }
    let client = TestClient::new(Router::new().route("/", get_service(service_fn(handler))));
    client.statuses(&[("GET /", 200)]).await;
}

/// The refusals that the next two tests expect.
async fn refuses_wrong_methods(app: Router) {
    let client = TestClient::new(app);
    client.refuses("PATCH /", "GET,HEAD,POST,OPTIONS").await;
    client.refuses("POST /foo", "PATCH,OPTIONS").await;
    client
        .statuses(&[("PATCH /foo", 200), ("GET /bar", 404)])
        .await;
}

#[tokio::test]
async fn wrong_method_handler() {
    let app = Router::new()
        .route("/", get(unit).post(unit))
        .route("/foo", patch(unit));
    refuses_wrong_methods(app).await;
}

#[tokio::test]
async fn wrong_method_service() {
    #[derive(Clone)]
    struct Svc;

    impl<R> Service<R> for Svc {
        type Response = Response;
        type Error = Infallible;
        type Future = Ready<Result<Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: R) -> Self::Future {
            ready(Ok(().into_response()))
        }
    }

    let app = Router::new()
        .route("/", get_service(Svc).post_service(Svc))
        .route("/foo", patch_service(Svc));
    refuses_wrong_methods(app).await;
}

#[tokio::test]
async fn multiple_methods_for_one_handler() {
    let both = MethodFilter::GET.or(MethodFilter::POST);
    let app = Router::new().route("/", on(both, says("Hello, World!")));
    let client = TestClient::new(app);
    client.statuses(&[("GET /", 200), ("POST /", 200)]).await;
}

#[tokio::test]
async fn wildcard_sees_whole_url() {
    let uri = get(|uri: Uri| async move { uri.to_string() });
    let client = TestClient::new(Router::new().route("/api/{*rest}", uri));
    client.texts(&[("GET /api/foo/bar", "/api/foo/bar")]).await;
}

#[tokio::test]
async fn middleware_applies_to_routes_above() {
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::ZERO);
    let app = Router::new()
        .route("/one", get(pending::<()>))
        .layer(timeout)
        .route("/two", get(unit));
    let client = TestClient::new(app);
    client
        .statuses(&[("GET /one", 408), ("GET /two", 200)])
        .await;
}

#[tokio::test]
async fn not_found_for_extra_trailing_slash() {
    let client = TestClient::new(Router::new().route("/foo", get(unit)));
    client
        .statuses(&[("GET /foo/", 404), ("GET /foo", 200)])
        .await;
}

#[tokio::test]
async fn not_found_for_missing_trailing_slash() {
    let client = TestClient::new(Router::new().route("/foo/", get(unit)));
    client.statuses(&[("GET /foo", 404)]).await;
}

#[tokio::test]
async fn with_and_without_trailing_slash() {
    let app = Router::new()
        .route("/foo", get(says("without tsr")))
        .route("/foo/", get(says("with tsr")));
    let client = TestClient::new(app);
    client
        .texts(&[("GET /foo/", "with tsr"), ("GET /foo", "without tsr")])
        .await;
}

#[tokio::test]
async fn wildcard_doesnt_match_just_trailing_slash() {
    let path = get(|Path(path): Path<String>| async move { path });
    let client = TestClient::new(Router::new().route("/x/{*path}", path));
    client.statuses(&[("GET /x", 404), ("GET /x/", 404)]).await;
    client.texts(&[("GET /x/foo/bar", "foo/bar")]).await;
}

#[tokio::test]
async fn what_matches_wildcard() {
    let app = Router::new()
        .route("/{*key}", get(says("root")))
        .route("/x/{*key}", get(says("x")))
        .fallback(says("fallback"));
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /", "fallback"),
            ("GET /a", "root"),
            ("GET /a/", "root"),
            ("GET /a/b", "root"),
            ("GET /a/b/", "root"),
            ("GET /x", "root"),
            ("GET /x/", "root"),
            ("GET /x/a", "x"),
            ("GET /x/a/", "x"),
            ("GET /x/a/b", "x"),
            ("GET /x/a/b/", "x"),
        ])
        .await;
}

#[tokio::test]
async fn static_and_dynamic_paths() {
    let dynamic = get(|Path(key): Path<String>| async move { format!("dynamic: {key}") });
    let app = Router::new()
        .route("/{key}", dynamic)
        .route("/foo", get(says("static")));
    let client = TestClient::new(app);
    client
        .texts(&[("GET /bar", "dynamic: bar"), ("GET /foo", "static")])
        .await;
}

/// Different on purpose: a fault is an error value, here and below.
#[test]
fn empty_route() {
    let fault = faults(Router::<()>::new().route("", get(unit)));
    assert!(fault.starts_with("route ``: "), "{fault}");
    assert!(fault.contains('/'), "{fault}");
}

#[tokio::test]
async fn middleware_still_run_for_unmatched_requests() {
    #[derive(Clone)]
    struct Count<S>(S, Arc<AtomicUsize>);

    impl<R, S: Service<R>> Service<R> for Count<S> {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: R) -> S::Future {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.call(request)
        }
    }

    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let layer = tower::layer::layer_fn(move |inner| Count(inner, Arc::clone(&counted)));
    let client = TestClient::new(Router::new().route("/", get(unit)).layer(layer));

    assert_eq!(count.load(Ordering::SeqCst), 0);
    client.get("/").await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    client.get("/not-found").await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

/// Different on purpose: a built router is a service like any other, and routes to it work.
#[tokio::test]
async fn routing_to_router_panics() {
    let inner = Router::new().route("/", get(says("inner"))).build();
    let client = TestClient::new(Router::new().route_service("/", inner));
    client.texts(&[("GET /", "inner")]).await;
}

#[tokio::test]
async fn route_layer() {
    let app = Router::new().route("/foo", get(unit)).route_layer(bearer());
    let client = TestClient::new(app);
    let authorized = client
        .get("/foo")
        .header("authorization", "Bearer password");
    assert_eq!(authorized.await.status(), 200);
    client
        .statuses(&[
            ("GET /foo", 401),
            ("GET /not-found", 404),
            // axum wishes for a 405 here but wraps the refusal too.
            ("POST /foo", 401),
        ])
        .await;
}

#[tokio::test]
async fn different_methods_added_in_different_routes() {
    let app = Router::new()
        .route("/", get(says("GET")))
        .route("/", post(says("POST")));
    let client = TestClient::new(app);
    client.texts(&[("GET /", "GET"), ("POST /", "POST")]).await;
}

#[test]
fn merging_routers_with_fallbacks_panics() {
    let one = Router::<()>::new().fallback(unit);
    assert_eq!(
        faults(one.clone().merge(one)),
        "both routers have a fallback for `/`; call `reset_fallback` on the one to discard"
    );
}

const GET_TAKEN: &str =
    "route `/foo/bar` already has an endpoint for GET; a pattern takes one for each method";

#[test]
fn routes_with_overlapping_method_routes() {
    let app = Router::<()>::new()
        .route("/foo/bar", get(unit))
        .route("/foo/bar", get(unit));
    assert_eq!(faults(app), GET_TAKEN);
}

#[test]
fn merging_with_overlapping_method_routes() {
    let app = Router::<()>::new().route("/foo/bar", get(unit));
    assert_eq!(faults(app.clone().merge(app)), GET_TAKEN);
}

#[tokio::test]
async fn merging_routers_with_same_paths_but_different_methods() {
    let one = Router::new().route("/", get(says("GET")));
    let two = Router::new().route("/", post(says("POST")));
    let client = TestClient::new(one.merge(two));
    client.texts(&[("GET /", "GET"), ("POST /", "POST")]).await;
}

#[tokio::test]
async fn head_content_length_through_hyper_server() {
    let app = Router::new()
        .route("/", get(says("foo")))
        .route("/json", get(|| async { Json(json!({ "foo": 1 })) }))
        .get("/own", says("foo"));
    let client = TestClient::new(app);
    for (path, length) in [("/", "3"), ("/json", "9"), ("/own", "3")] {
        let response = client.head(path).await;
        assert_eq!(response.headers()["content-length"], length, "{path}");
        assert_eq!(response.text(), "", "{path}");
    }
}

#[tokio::test]
async fn head_content_length_through_hyper_server_that_hits_fallback() {
    let client = TestClient::new(Router::new().fallback(|| async { "foo" }));
    let response = client.head("/").await;
    assert_eq!(response.headers()["content-length"], "3");
}

#[tokio::test]
async fn head_with_middleware_applied() {
    let app = Router::new()
        .nest("/foo", Router::new().route("/", get(says("Hello, World!"))))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(0)));
    let client = TestClient::new(app);

    let response = client.get("/foo").header("accept-encoding", "gzip").await;
    assert_eq!(response.headers()["transfer-encoding"], "chunked");
    // Never both of the two (RFC 9112 §6.2).
    assert!(!response.headers().contains_key("content-length"));

    // Without a body there is nothing to transfer, and the length of what a GET would get is
    // known to nobody.
    let response = client.head("/foo").header("accept-encoding", "gzip").await;
    assert!(!response.headers().contains_key("transfer-encoding"));
    assert!(!response.headers().contains_key("content-length"));
}

#[test]
fn routes_must_start_with_slash() {
    let fault = faults(Router::<()>::new().route(":foo", get(unit)));
    assert!(fault.starts_with("route `:foo`: "), "{fault}");
    assert!(fault.contains("'/'") || fault.contains("`/`"), "{fault}");
}

#[tokio::test]
async fn body_limited_by_default() {
    let app = Router::new()
        .route("/bytes", post(|_: Bytes| async {}))
        .route("/string", post(|_: String| async {}))
        .route("/json", post(|_: Json<serde_json::Value>| async {}));
    let client = TestClient::new(app);
    for path in ["/bytes", "/string", "/json"] {
        let endless = stream::repeat_with(|| Ok::<_, Infallible>("a".repeat(1000)));
        let request = client
            .post(path)
            .header("content-type", "application/json")
            .body(Body::from_stream(endless));
        assert_eq!(request.await.status(), 413, "{path}");
    }
}

/// A body that is larger than axum's default limit of 2 MB.
fn three_megabytes() -> String {
    "a".repeat(3_000_000)
}

#[tokio::test]
async fn disabling_the_default_limit() {
    let app = Router::new()
        .route("/", post(|_: Bytes| async {}))
        .layer(DefaultBodyLimit::disable());
    let client = TestClient::new(app);
    assert_eq!(client.post("/").body(three_megabytes()).await.status(), 200);
}

/// Posts bodies of these lengths and asserts their statuses.
async fn posts(client: &TestClient, cases: &[(&str, usize, u16)]) {
    for (path, length, status) in cases {
        let response = client.post(path).body("a".repeat(*length)).await;
        assert_eq!(response.status(), *status, "{length} bytes to {path}");
    }
}

const LIMIT: usize = 3;

#[tokio::test]
async fn limited_body_with_content_length() {
    async fn handler(headers: HeaderMap, _: Bytes) {
        assert!(headers.contains_key(CONTENT_LENGTH));
    }
    let app = Router::new()
        .route("/", post(handler))
        .layer(RequestBodyLimitLayer::new(LIMIT));
    posts(
        &TestClient::new(app),
        &[("/", LIMIT, 200), ("/", 2 * LIMIT, 413)],
    )
    .await;
}

#[tokio::test]
async fn changing_the_default_limit() {
    let app = Router::new()
        .route("/", post(|_: Bytes| async {}))
        .layer(DefaultBodyLimit::max(2));
    posts(&TestClient::new(app), &[("/", 2, 200), ("/", 3, 413)]).await;
}

#[tokio::test]
async fn changing_the_default_limit_differently_on_different_routes() {
    let limited = |limit| post((|_: Bytes| async {}).layer(DefaultBodyLimit::max(limit)));
    let app = Router::new()
        .route("/limit1", limited(2))
        .route("/limit2", limited(10))
        .route("/default", post(|_: Bytes| async {}));
    posts(
        &TestClient::new(app),
        &[
            ("/limit1", 2, 200),
            ("/limit1", 10, 413),
            ("/limit2", 2, 200),
            ("/limit2", 10, 200),
            ("/limit2", 12, 413),
            ("/default", 12, 200),
            ("/default", three_megabytes().len(), 413),
        ],
    )
    .await;
}

#[tokio::test]
async fn limited_body_with_streaming_body() {
    async fn handler(headers: HeaderMap, _: Bytes) {
        assert!(!headers.contains_key(CONTENT_LENGTH));
    }
    let app = Router::new()
        .route("/", post(handler))
        .layer(RequestBodyLimitLayer::new(LIMIT));
    let client = TestClient::new(app);
    for (length, status) in [(LIMIT, 200), (2 * LIMIT, 413)] {
        let body = stream::iter([Ok::<_, Infallible>("a".repeat(length))]);
        let response = client.post("/").body(Body::from_stream(body)).await;
        assert_eq!(response.status(), status, "{length} bytes");
    }
}

#[tokio::test]
async fn extract_state() {
    #[derive(Clone)]
    struct InnerState(i32);

    #[derive(Clone)]
    struct AppState {
        value: i32,
        inner: InnerState,
    }

    impl FromRef<AppState> for InnerState {
        fn from_ref(state: &AppState) -> Self {
            state.inner.clone()
        }
    }

    async fn handler(State(outer): State<AppState>, State(inner): State<InnerState>) {
        assert_eq!((outer.value, inner.0), (1, 2));
    }

    let state = AppState {
        value: 1,
        inner: InnerState(2),
    };
    let app = Router::new()
        .route("/", get(handler))
        .get("/own", handler)
        .with_state(state);
    let client = TestClient::new(app);
    client.statuses(&[("GET /", 200), ("GET /own", 200)]).await;
}

#[tokio::test]
async fn explicitly_set_state() {
    let service = axum::routing::get(|State(state): State<&'static str>| async move { state });
    let app = Router::new()
        .route_service("/", service.with_state("foo"))
        .with_state("...");
    TestClient::new(app).texts(&[("GET /", "foo")]).await;
}

#[tokio::test]
async fn layer_response_into_response() {
    fn teapot(_: Response) -> Result<Response, impl IntoResponse> {
        Err(([("x-foo", "bar")], StatusCode::IM_A_TEAPOT))
    }
    let app = Router::new()
        .route("/", get(unit))
        .layer(MapResponseLayer::new(teapot));
    let response = TestClient::new(app).get("/").await;
    assert_eq!(response.headers()["x-foo"], "bar");
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
}

/// axum only compiles this; here it runs too.
#[tokio::test]
async fn method_router_fallback_with_state() {
    async fn fallback(State(state): State<&'static str>) -> &'static str {
        state
    }
    async fn not_found(_: State<&'static str>) -> StatusCode {
        StatusCode::NOT_FOUND
    }
    let fallback = axum::routing::get(fallback).fallback(not_found);
    let client = TestClient::new(Router::new().fallback(fallback).with_state("foo"));
    client.texts(&[("GET /", "foo")]).await;
    client.statuses(&[("POST /", 404)]).await;
}

/// axum tests its private `path_for_nested_route`; here the routes that come out of it.
#[tokio::test]
async fn test_path_for_nested_route() {
    for (prefix, pattern, path) in [
        ("/a", "/", "/a"),
        ("/a/", "/", "/a/"),
        ("/a", "/b", "/a/b"),
        ("/a/", "/b", "/a/b"),
        ("/a", "/b/", "/a/b/"),
        ("/a/", "/b/", "/a/b/"),
    ] {
        let inner = Router::new().route(pattern, get(unit));
        let app = Router::<()>::new().nest(prefix, inner).build();
        let routes: Vec<_> = app
            .routes()
            .map(|route| route.pattern().to_owned())
            .collect();
        assert_eq!(routes, [path], "{pattern} nested at {prefix}");
    }
}

#[tokio::test]
async fn state_isnt_cloned_too_much() {
    let state = CountingState::default();
    let app = Router::new()
        .route("/", get(|_: State<CountingState>| async {}))
        .get("/own", |_: State<CountingState>| async {})
        .with_state(state.clone());
    let client = TestClient::new(app);
    state.start();
    client.get("/").await;
    assert_eq!(state.count(), crate::STATE_CLONES, "axum: 3 times");
    state.start();
    client.get("/own").await;
    assert_eq!(state.count(), 2, "for the handler and for its extractor");
}

#[tokio::test]
async fn state_isnt_cloned_too_much_in_layer() {
    async fn layer(_: State<CountingState>, request: Request, next: Next) -> Response {
        next.run(request).await
    }
    let state = CountingState::default();
    let app = Router::new().layer(from_fn_with_state(state.clone(), layer));
    let client = TestClient::new(app);
    state.start();
    client.get("/").await;
    assert_eq!(state.count(), 3, "as in axum");
}

/// A place for a subscriber's lines.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logging_rejections() {
    use tracing_subscriber::{filter::Targets, fmt, prelude::*};

    let lines = Lines::default();
    let writer = lines.clone();
    let layer = fmt::layer()
        .with_writer(move || writer.clone())
        .without_time()
        .json()
        .with_filter("axum::rejection=trace".parse::<Targets>().unwrap());
    let subscriber = tracing_subscriber::registry().with(layer);
    let guard = tracing::subscriber::set_default(subscriber);

    let app = Router::new()
        .route("/extension", get(|_: Extension<Infallible>| async {}))
        .route("/string", post(|_: String| async {}));
    let client = TestClient::new(app);
    client.statuses(&[("GET /extension", 500)]).await;
    let not_utf8 = vec![0_u8, 159, 146, 150];
    assert_eq!(client.post("/string").body(not_utf8).await.status(), 400);
    drop(guard);

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let event = |status: u16, body: &str, rejection_type: &str| {
        json!({
            "fields": {
                "message": "rejecting request",
                "status": status,
                "body": body,
                "rejection_type": rejection_type,
            },
            "target": "axum::rejection",
            "level": "TRACE",
        })
    };
    assert_eq!(
        events,
        [
            event(
                500,
                "Missing request extension: Extension of type `core::convert::Infallible` \
                 was not found. Perhaps you forgot to add it? See `axum::Extension`.",
                "axum::extract::rejection::MissingExtension",
            ),
            event(
                400,
                "Request body didn't contain valid UTF-8: \
                 invalid utf-8 sequence of 1 bytes from index 1",
                "axum_core::extract::rejection::InvalidUtf8",
            ),
        ]
    );
}

/// Sends a `CONNECT`, whose target is an authority without a path.
async fn connect(app: Router) -> (StatusCode, Bytes) {
    let request = Request::builder()
        .uri("example.com:443")
        .method(Method::CONNECT)
        .header("host", "example.com:443");
    let request = request.body(Body::empty()).unwrap();
    let response = app.build().oneshot(request).await.unwrap();
    let status = response.status();
    (status, response.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn connect_going_to_custom_fallback() {
    let app = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "custom fallback") });
    let (status, body) = connect(app).await;
    assert_eq!((status.as_u16(), &*body), (404, &b"custom fallback"[..]));
}

#[tokio::test]
async fn connect_going_to_default_fallback() {
    let (status, body) = connect(Router::new()).await;
    assert_eq!((status.as_u16(), &*body), (404, &b""[..]));
}

#[tokio::test]
async fn impl_handler_for_into_response() {
    let constant = (StatusCode::CREATED, "thing created");
    let app = Router::new()
        .route("/things", post(constant))
        .post("/own", constant);
    let client = TestClient::new(app);
    for line in ["POST /things", "POST /own"] {
        client.answers(line, 201, "thing created").await;
    }
}

/// Different on purpose: `:` means nothing in this crate's patterns, so it is text.
#[tokio::test]
async fn colon_in_route() {
    let client = TestClient::new(Router::new().route("/:foo", get(unit)));
    client
        .statuses(&[("GET /:foo", 200), ("GET /bar", 404)])
        .await;
}

/// Different on purpose: `*` outside braces is text.
#[tokio::test]
async fn asterisk_in_route() {
    let client = TestClient::new(Router::new().route("/*foo", get(unit)));
    client
        .statuses(&[("GET /*foo", 200), ("GET /bar", 404)])
        .await;
}

#[tokio::test]
async fn middleware_adding_body() {
    let add = |mut response: Response| {
        // Were the length of the empty body set by now, it would contradict the new one.
        assert!(!response.headers().contains_key("content-length"));
        *response.body_mut() = "…".into();
        response
    };
    let app = Router::new()
        .route("/", get(()))
        .layer(MapResponseLayer::new(add));
    let response = TestClient::new(app).get("/").await;
    assert_eq!(response.headers()["content-length"], "3");
    assert_eq!(response.text(), "…");
}
