//! The router of tower services, without axum.
#![cfg(feature = "router")]

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn, util::MapResponseLayer};
use tower_trie_router::{
    BuildError, FallThrough, PercentPolicy, RouteErrorKind, RouteMatch, RouterService,
    ServiceRouter, TrailingSlash,
};

type Body = Full<Bytes>;
type Router = ServiceRouter<(), Body>;

fn assert_service<T: Clone + Send + Sync + 'static>(_: &T) {}

async fn tell(request: Request<()>) -> Result<Response<Body>, Infallible> {
    let matched = request.extensions().get::<RouteMatch>();
    let pattern = matched.map_or("-", |matched| matched.pattern());
    let params: Vec<_> = matched
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let text = format!("{pattern} {} {}", params.join("&"), request.uri());
    Ok(Response::new(Full::from(text)))
}

async fn call(
    router: &RouterService<(), Body>,
    method: &str,
    uri: &str,
) -> (u16, Option<String>, String) {
    let request = Request::builder().method(method).uri(uri).body(()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let allow = response.headers().get("allow");
    let allow = allow.map(|allow| allow.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, allow, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn services_are_routed() {
    let inner = Router::new().get_service("/{id}", service_fn(tell));
    let router = Router::new()
        .get_service("/users/{id}", service_fn(tell))
        .post_service("/users/{id}", service_fn(tell))
        .route_service("/any/{*rest}", service_fn(tell))
        .nest("/nested/{t}", inner)
        .nest_service("/svc/v{n}", service_fn(tell))
        .host(
            "{h}.com",
            Router::new().get_service("/host", service_fn(tell)),
        )
        .trailing_slash(TrailingSlash::Redirect)
        .build();
    assert_service(&router);
    for (method, uri, status, allow, body) in [
        (
            "GET",
            "/users/7?q",
            200,
            None,
            "/users/{id} id=7 /users/7?q",
        ),
        ("PUT", "/users/7", 405, Some("GET,HEAD,POST,OPTIONS"), ""),
        (
            "OPTIONS",
            "/users/7",
            204,
            Some("GET,HEAD,POST,OPTIONS"),
            "",
        ),
        ("HEAD", "/users/7", 200, None, ""),
        (
            "LOCK",
            "/any/a/b",
            200,
            None,
            "/any/{*rest} rest=a/b /any/a/b",
        ),
        (
            "GET",
            "/nested/1/2",
            200,
            None,
            "/nested/{t}/{id} t=1&id=2 /2",
        ),
        (
            "GET",
            "/svc/v1/a/b?q",
            200,
            None,
            "/svc/v{n}/{*__nest_tail} n=1 /a/b?q",
        ),
        ("GET", "/svc/v1", 200, None, "/svc/v{n} n=1 /"),
        (
            "GET",
            "http://a.com/host",
            200,
            None,
            "/host h=a http://a.com/host",
        ),
        ("GET", "/users/7/", 308, None, ""),
        ("GET", "/none", 404, None, ""),
    ] {
        let (found_status, found_allow, found_body) = call(&router, method, uri).await;
        assert_eq!(found_status, status, "{method} {uri}");
        assert_eq!(found_allow.as_deref(), allow, "{method} {uri}");
        assert_eq!(found_body, body, "{method} {uri}");
    }
}

#[tokio::test]
async fn a_nested_service_redirects_below_its_prefix() {
    let inner = Router::new()
        .get_service("/users", service_fn(tell))
        .get_service("/{id}/posts/", service_fn(tell))
        .trailing_slash(TrailingSlash::Redirect)
        .build();
    let long = "x".repeat(100);
    let nested = Router::new().nest_service("/api", inner.clone()).build();
    let twice = Router::new().nest(
        "/outer",
        Router::new().nest_service("/{tenant}", nested.clone()),
    );
    let router = twice
        .nest_service("/api", inner)
        .percent_policy(PercentPolicy::Normalize)
        .build();
    for (uri, location) in [
        ("/api/users/?q=1", Some("/api/users?q=1".to_owned())),
        ("/api/7/posts", Some("/api/7/posts/".to_owned())),
        ("/outer/t/api/users/", Some("/outer/t/api/users".to_owned())),
        (
            &format!("/api/{long}/posts"),
            Some(format!("/api/{long}/posts/")),
        ),
        // The prefix as it was sent is not known any more.
        ("/%61pi/users/", None),
    ] {
        let request = Request::get(uri).body(()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let found = response.headers().get("location");
        let found = found.map(|found| found.to_str().unwrap().to_owned());
        assert_eq!(found, location, "{uri}");
    }
}

#[tokio::test]
async fn layers_and_fallbacks_wrap_and_answer() {
    let mark = MapResponseLayer::new(|mut response: Response<Body>| {
        response
            .headers_mut()
            .insert("allow", http::HeaderValue::from_static("layer"));
        response
    });
    let router = Router::new()
        .get_service("/a", service_fn(tell))
        .method_not_allowed_service(service_fn(tell))
        .route_layer(mark.clone())
        .fallback_service(service_fn(tell))
        .build();
    assert_eq!(call(&router, "GET", "/a").await.1.as_deref(), Some("layer"));
    assert_eq!(
        call(&router, "POST", "/a").await.1.as_deref(),
        Some("layer")
    );
    assert_eq!(
        call(&router, "POST", "/b").await,
        (200, None, "-  /b".into())
    );
    let layered = Router::new()
        .get_service("/a", service_fn(tell))
        .layer(mark)
        .build();
    assert_eq!(
        call(&layered, "GET", "/b").await,
        (404, Some("layer".into()), String::new())
    );
}

#[tokio::test]
async fn the_layer_keeps_the_inner_services_error() {
    let front = Router::new().get_service("/a", service_fn(tell)).build();
    let behind = service_fn(|_: Request<()>| async { Err::<Response<Body>, _>("behind failed") });
    let app = front
        .into_layer()
        .fall_through(FallThrough::PathOrMethod)
        .layer(behind);
    let request =
        |method: &str, uri: &str| Request::builder().method(method).uri(uri).body(()).unwrap();
    assert!(app.clone().oneshot(request("GET", "/a")).await.is_ok());
    for (method, uri) in [("GET", "/b"), ("POST", "/a")] {
        let error = app.clone().oneshot(request(method, uri)).await.unwrap_err();
        assert_eq!(error, "behind failed", "{method} {uri}");
    }
}

#[test]
fn too_many_methods_are_a_fault_and_no_panic() {
    let with = |count: usize| {
        let methods = (0..count).map(|number| format!("M{number}").parse().unwrap());
        let methods: Vec<http::Method> = methods.collect();
        let router = Router::new().get_service("/x", service_fn(tell));
        router.on_service("/x", methods, service_fn(tell))
    };
    assert!(with(200).try_build().is_ok());
    let error = with(201).try_build().unwrap_err();
    let kind = error.errors()[0].kind();
    assert!(matches!(kind, RouteErrorKind::TooManyMethods), "{error}");
}

#[test]
fn twins_report_faults() {
    let new = || Router::new().get_service("/a", service_fn(tell));
    let results: [(&str, Result<Router, BuildError>); 7] = [
        ("get_service", new().try_get_service("/a", service_fn(tell))),
        (
            "on_service",
            new().try_on_service("/a", [], service_fn(tell)),
        ),
        (
            "route_service",
            new().try_route_service("a", service_fn(tell)),
        ),
        ("nest", new().try_nest("/", new())),
        ("nest_service", new().try_nest_service("", service_fn(tell))),
        ("merge", new().try_merge(new())),
        ("host", new().try_host("", new())),
    ];
    for (name, result) in results {
        assert!(result.is_err(), "{name}");
    }
}

#[test]
fn what_is_public_is_send_and_sync() {
    fn assert_both<T: Send + Sync>() {}
    assert_both::<Router>();
    assert_both::<BuildError>();
    assert_both::<RouteMatch>();
    assert_both::<tower_trie_router::Route<(), Body>>();
    assert_both::<tower_trie_router::RouterLayer<(), Body>>();
    fn assert_send<T: Send>() {}
    assert_send::<tower_trie_router::RouteFuture<Body>>();
}
