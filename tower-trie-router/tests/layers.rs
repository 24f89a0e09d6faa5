//! What a layer wraps.
#![cfg(feature = "axum")]

mod client;

use axum::{
    extract::{MatchedPath, OriginalUri, Request},
    http::{HeaderValue, Uri},
    middleware::{Next, from_fn, map_request, map_response},
    response::Response,
};
use client::call;
use tower::limit::ConcurrencyLimitLayer;
use tower_trie_router::{Path, RouteMatch, TrieRouter, routing};

async fn mark(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert("x-layer", "seen".parse().unwrap());
    Response::from_parts(parts, body)
}

#[tokio::test]
async fn a_layer_sees_every_answer_and_a_route_layer_those_of_routes() {
    let routes = || TrieRouter::new().get("/a", || async { "a" });
    let whole = routes()
        .layer(map_response(mark))
        .get("/later", || async { "later" })
        .build();
    let only = routes().route_layer(map_response(mark)).build();
    for (method, path, status, in_whole, in_only) in [
        ("GET", "/a", 200, true, true),
        ("HEAD", "/a", 200, true, true),
        ("POST", "/a", 405, true, true),
        ("OPTIONS", "/a", 204, true, true),
        ("GET", "/none", 404, true, false),
    ] {
        for (app, seen) in [(&whole, in_whole), (&only, in_only)] {
            let answer = call(app, method, path).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}");
            assert_eq!(answer.header("x-layer").is_some(), seen, "{method} {path}");
            let allow = matches!(status, 405 | 204).then_some("GET,HEAD,OPTIONS");
            assert_eq!(answer.header("allow"), allow, "{method} {path}");
        }
    }
    assert_eq!(call(&whole, "GET", "/later").await.header("x-layer"), None);
}

#[tokio::test]
async fn layers_of_one_path_and_of_one_router() {
    let inner = TrieRouter::new()
        .get("/in", || async { "in" })
        .fallback(|| async { "inner fallback" })
        .layer(map_response(mark));
    let app = TrieRouter::new()
        .route("/one", routing::get("one").layer(map_response(mark)))
        .get("/other", || async { "other" })
        .nest("/n", inner)
        .build();
    for (method, path, seen) in [
        ("GET", "/one", true),
        ("POST", "/one", true),
        ("GET", "/other", false),
        ("GET", "/n/in", true),
        ("GET", "/n/none", true),
        ("GET", "/none", false),
    ] {
        let answer = call(&app, method, path).await;
        assert_eq!(answer.header("x-layer").is_some(), seen, "{method} {path}");
    }
}

#[tokio::test]
async fn a_layer_finds_the_match_in_the_request() {
    async fn tell(request: Request, next: Next) -> Response {
        let matched = request.extensions().get::<RouteMatch>().unwrap();
        let text = format!(
            "{} {} {}",
            matched.pattern(),
            matched.get("id").unwrap_or("-"),
            request.extensions().get::<MatchedPath>().unwrap().as_str(),
        );
        let mut response = next.run(request).await;
        response
            .headers_mut()
            .insert("x-matched", text.parse().unwrap());
        response
    }
    let inner = TrieRouter::new().get("/{id}", || async { "nested" });
    let app = TrieRouter::new()
        .get("/users/{id}", || async { "show" })
        .nest("/n", inner)
        .layer(from_fn(tell))
        .build();
    for (method, path, matched) in [
        ("GET", "/users/7", "/users/{id} 7 /users/{id}"),
        ("DELETE", "/users/7", "/users/{id} 7 /users/{id}"),
        ("GET", "/n/8", "/n/{id} 8 /n/{id}"),
    ] {
        let answer = call(&app, method, path).await;
        assert_eq!(answer.header("x-matched"), Some(matched), "{method} {path}");
    }
}

#[tokio::test]
async fn a_layer_made_for_a_pattern_leaves_requests_to_the_handler() {
    /// What the router left in a request, and its path.
    fn traces(request: &Request) -> String {
        let extensions = request.extensions();
        let traces = [
            extensions.get::<RouteMatch>().map(|_| "match"),
            extensions.get::<MatchedPath>().map(|_| "matched-path"),
            extensions.get::<OriginalUri>().map(|_| "original-uri"),
        ];
        let traces: Vec<_> = traces.into_iter().flatten().collect();
        format!("{} {}", request.uri(), traces.join(" "))
            .trim_end()
            .to_owned()
    }
    let made = |pattern: &str| {
        let pattern = HeaderValue::from_str(pattern).unwrap();
        from_fn(move |request: Request, next: Next| {
            let (pattern, seen) = (pattern.clone(), traces(&request).parse().unwrap());
            async move {
                let mut response = next.run(request).await;
                response.headers_mut().insert("x-pattern", pattern);
                response.headers_mut().insert("x-seen", seen);
                response
            }
        })
    };
    let inner = TrieRouter::new()
        .get("/plain", || async { "" })
        .get("/users/{id}", |Path(id): Path<String>| async { id })
        .get("/uri", |uri: Uri| async move { uri.to_string() })
        .get("/all", |request: Request| async move { traces(&request) });
    let routes = || {
        TrieRouter::new()
            .nest("/api", inner.clone())
            .route_layer_by(made)
            .fallback(|| async { "" })
    };
    let nested = TrieRouter::new().nest("/outer", routes());
    let around = routes().route_layer(map_response(mark));
    let everything = "/all match matched-path original-uri";
    for (app, path, pattern, seen, body) in [
        (routes(), "/api/plain", "/api/plain", "/api/plain", ""),
        (
            routes(),
            "/api/users/7",
            "/api/users/{id}",
            "/api/users/7 match",
            "7",
        ),
        (routes(), "/api/uri", "/api/uri", "/api/uri", "/uri"),
        (
            routes(),
            "/api/all",
            "/api/all",
            "/api/all match matched-path",
            everything,
        ),
        (
            nested,
            "/outer/api/plain",
            "/api/plain",
            "/outer/api/plain",
            "",
        ),
        (
            around,
            "/api/plain",
            "/api/plain",
            "/api/plain match matched-path",
            "",
        ),
    ] {
        let answer = call(&app.build(), "GET", path).await;
        assert_eq!(answer.header("x-pattern"), Some(pattern), "{path}");
        assert_eq!(answer.header("x-seen"), Some(seen), "{path}");
        assert_eq!(answer.body, body, "{path}");
    }
    let missed = call(&routes().build(), "GET", "/none").await;
    assert_eq!(missed.header("x-pattern"), None);
}

#[tokio::test]
async fn a_rewritten_uri_does_not_disturb_the_match() {
    async fn rewrite(mut request: Request) -> Request {
        *request.uri_mut() = "/elsewhere".parse().unwrap();
        request
    }
    async fn tell(request: Request) -> String {
        let matched = request.extensions().get::<RouteMatch>().unwrap();
        format!("{} {}", matched.get("id").unwrap(), request.uri())
    }
    let app = TrieRouter::new()
        .get("/users/{id}", tell)
        .layer(map_request(rewrite))
        .build();
    assert_eq!(call(&app, "GET", "/users/7").await.body, "7 /elsewhere");
}

#[tokio::test]
async fn a_layer_with_readiness_is_driven_to_it() {
    let app = TrieRouter::new()
        .get("/a", || async { "a" })
        .layer(ConcurrencyLimitLayer::new(1))
        .build();
    let one = async { call(&app, "GET", "/a").await.status };
    let two = async { call(&app, "GET", "/a").await.status };
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.as_u16(), two.as_u16()), (200, 200));
}
