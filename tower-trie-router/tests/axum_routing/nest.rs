//! `axum/src/routing/tests/nest.rs`

use std::{
    collections::HashMap,
    convert::Infallible,
    task::{Context, Poll},
};

use axum::{
    Extension,
    body::Body,
    extract::{OriginalUri, Request},
    response::Response,
};
use http::Uri;
use tower::{Service, service_fn};
use tower_http::services::ServeDir;
use tower_trie_router::Path;

use crate::methods::{MethodRouter, get};
use crate::support::{Router, TestClient, faults};

fn unit() -> MethodRouter {
    get(|| async {})
}

#[tokio::test]
async fn nesting_apps() {
    async fn show(kind: &str, Path(params): Path<HashMap<String, String>>) -> String {
        format!("{}: {kind}#show ({})", params["version"], params["id"])
    }
    let api = Router::new()
        .route(
            "/users",
            get(|| async { "users#index" }).post(|| async { "users#create" }),
        )
        .route("/users/{id}", get(|params| show("users", params)))
        .route("/games/{id}", get(|params| show("games", params)));
    let app = Router::new()
        .route("/", get(|| async { "hi" }))
        .nest("/{version}/api", api);
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /", "hi"),
            ("GET /v0/api/users", "users#index"),
            ("GET /v0/api/users/123", "v0: users#show (123)"),
            ("GET /v0/api/games/123", "v0: games#show (123)"),
        ])
        .await;
}

#[tokio::test]
async fn wrong_method_nest() {
    let app = Router::new().nest("/foo", Router::new().route("/", unit()));
    let client = TestClient::new(app);
    client
        .statuses(&[("GET /foo", 200), ("PATCH /foo/bar", 404)])
        .await;
    client.refuses("POST /foo", "GET,HEAD,OPTIONS").await;
}

fn nested_at(prefix: &str) -> String {
    faults(Router::<()>::new().nest(prefix, Router::new().route("/foo", unit())))
}

fn service_nested_at(prefix: &str) -> String {
    faults(Router::<()>::new().nest_service(prefix, axum::routing::get(|| async {})))
}

const AT_ROOT: &str = "the root takes no nested router; use `merge`, or `fallback_service`";

#[test]
fn nest_router_at_root() {
    assert_eq!(nested_at("/"), format!("cannot nest at `/`: {AT_ROOT}"));
}

#[test]
fn nest_router_at_empty_path() {
    assert_eq!(nested_at(""), format!("cannot nest at ``: {AT_ROOT}"));
}

#[test]
fn nest_service_at_root() {
    let fault = service_nested_at("/");
    assert_eq!(fault, format!("cannot nest at `/`: {AT_ROOT}"));
}

#[test]
fn nest_service_at_empty_path() {
    let fault = service_nested_at("");
    assert_eq!(fault, format!("cannot nest at ``: {AT_ROOT}"));
}

#[tokio::test]
async fn nested_url_extractor() {
    let inner = Router::new()
        .route("/baz", get(|uri: Uri| async move { uri.to_string() }))
        .route(
            "/qux",
            get(|request: Request| async move { request.uri().to_string() }),
        );
    let app = Router::new().nest("/foo", Router::new().nest("/bar", inner));
    let client = TestClient::new(app);
    client
        .texts(&[("GET /foo/bar/baz", "/baz"), ("GET /foo/bar/qux", "/qux")])
        .await;
}

#[tokio::test]
async fn nested_url_original_extractor() {
    let inner = Router::new().route(
        "/baz",
        get(|uri: OriginalUri| async move { uri.0.to_string() }),
    );
    let app = Router::new().nest("/foo", Router::new().nest("/bar", inner));
    let client = TestClient::new(app);
    client.texts(&[("GET /foo/bar/baz", "/foo/bar/baz")]).await;
}

#[tokio::test]
async fn nested_service_sees_stripped_uri() {
    let service = service_fn(|request: Request| async move {
        Ok::<_, Infallible>(Response::new(Body::from(request.uri().to_string())))
    });
    let inner = Router::new().route_service("/baz", service);
    let app = Router::new().nest("/foo", Router::new().nest("/bar", inner));
    let client = TestClient::new(app);
    client.texts(&[("GET /foo/bar/baz", "/baz")]).await;
}

#[tokio::test]
async fn nest_static_file_server() {
    let directory = ServeDir::new(env!("CARGO_MANIFEST_DIR"));
    let client = TestClient::new(Router::new().nest_service("/static", directory));
    client.statuses(&[("GET /static/README.md", 200)]).await;
}

#[tokio::test]
async fn nested_multiple_routes() {
    let api = Router::new()
        .route("/users", get(|| async { "users" }))
        .route("/teams", get(|| async { "teams" }));
    let app = Router::new()
        .nest("/api", api)
        .route("/", get(|| async { "root" }));
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /", "root"),
            ("GET /api/users", "users"),
            ("GET /api/teams", "teams"),
        ])
        .await;
}

#[tokio::test]
async fn multiple_top_level_nests() {
    let route =
        |name: &'static str| Router::new().route("/route", get(move || async move { name }));
    let app = Router::new()
        .nest("/one", route("one"))
        .nest("/two", route("two"));
    let client = TestClient::new(app);
    client
        .texts(&[("GET /one/route", "one"), ("GET /two/route", "two")])
        .await;
}

#[test]
fn nest_cannot_contain_wildcards() {
    let fault = nested_at("/one/{*rest}");
    assert!(
        fault.starts_with("cannot nest at `/one/{*rest}`: a prefix holds no catch-all"),
        "{fault}"
    );
}

#[tokio::test]
async fn outer_middleware_still_see_whole_url() {
    #[derive(Clone)]
    struct Seen(Uri);

    #[derive(Clone)]
    struct SetSeen<S>(S);

    impl<S: Service<Request>> Service<Request> for SetSeen<S> {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, mut request: Request) -> S::Future {
            let seen = Seen(request.uri().clone());
            request.extensions_mut().insert(seen);
            self.0.call(request)
        }
    }

    async fn handler(Extension(Seen(uri)): Extension<Seen>) -> String {
        uri.to_string()
    }

    let app = Router::new()
        .route("/", get(handler))
        .route("/foo", get(handler))
        .route("/foo/bar", get(handler))
        .nest("/one", Router::new().route("/two", get(handler)))
        .fallback(handler)
        .layer(tower::layer::layer_fn(SetSeen));
    let client = TestClient::new(app);
    for path in ["/", "/foo", "/foo/bar", "/not-found", "/one/two"] {
        client.answers(&format!("GET {path}"), 200, path).await;
    }
}

#[tokio::test]
async fn nest_at_capture() {
    let inner = Router::new().route(
        "/{b}",
        get(|Path((a, b)): Path<(String, String)>| async move { format!("a={a} b={b}") }),
    );
    let client = TestClient::new(Router::new().nest("/{a}", inner));
    client.texts(&[("GET /foo/bar", "a=foo b=bar")]).await;
}

#[tokio::test]
async fn nest_with_and_without_trailing() {
    let client =
        TestClient::new(Router::new().nest_service("/foo", axum::routing::get(|| async {})));
    client
        .statuses(&[("GET /foo", 200), ("GET /foo/", 200), ("GET /foo/bar", 200)])
        .await;
}

#[tokio::test]
async fn nesting_with_root_inner_router() {
    let inner = || Router::new().route("/", unit());
    let app = Router::new()
        .nest_service("/service", inner().build())
        .nest("/router", inner())
        .nest("/router-slash/", inner());
    let client = TestClient::new(app);
    client
        .statuses(&[
            ("GET /service", 200),
            ("GET /service/", 200),
            ("GET /router", 200),
            ("GET /router/", 404),
            ("GET /router-slash", 404),
            ("GET /router-slash/", 200),
        ])
        .await;
}

macro_rules! nested_route_test {
    ($($name:ident: $prefix:literal + $route:literal = $path:literal;)+) => {$(
        #[tokio::test]
        async fn $name() {
            let inner = Router::new().route($route, unit());
            let client = TestClient::new(Router::new().nest($prefix, inner));
            client.statuses(&[(concat!("GET ", $path), 200)]).await;
        }
    )+};
}

nested_route_test! {
    nest_1: "/a" + "/" = "/a";
    nest_2: "/a" + "/a" = "/a/a";
    nest_3: "/a" + "/a/" = "/a/a/";
    nest_4: "/a/" + "/" = "/a/";
    nest_5: "/a/" + "/a" = "/a/a";
    nest_6: "/a/" + "/a/" = "/a/a/";
}

/// Different on purpose: `:` means nothing in this crate's patterns, so it is text.
#[tokio::test]
async fn colon_in_route() {
    let inner = Router::new().route("/a", unit());
    let client = TestClient::new(Router::new().nest("/:foo", inner));
    client
        .statuses(&[("GET /:foo/a", 200), ("GET /bar/a", 404)])
        .await;
}

/// Different on purpose: `*` outside braces is text.
#[tokio::test]
async fn asterisk_in_route() {
    let inner = Router::new().route("/a", unit());
    let client = TestClient::new(Router::new().nest("/*foo", inner));
    client
        .statuses(&[("GET /*foo/a", 200), ("GET /bar/a", 404)])
        .await;
}
