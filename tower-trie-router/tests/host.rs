//! Routing by host.
#![cfg(feature = "axum")]

mod client;

use axum::{
    body::Body,
    http::{Request, header},
};
use client::{Answer, send};
use tower_trie_router::{RouteMatch, TrieRouter, TrieService};

async fn tell(request: Request<Body>) -> String {
    let matched = request.extensions().get::<RouteMatch>().unwrap();
    let params: Vec<_> = matched
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let host = matched.host_pattern();
    format!(
        "{} {} {}",
        host.as_deref().unwrap_or("-"),
        matched.pattern(),
        params.join("&")
    )
}

fn app() -> TrieService {
    let tenant = TrieRouter::new().get("/", tell).get("/users/{id}", tell);
    let api = TrieRouter::new()
        .get("/v{n}", tell)
        .fallback(|| async { "api fallback" });
    TrieRouter::new()
        .host("{tenant}.example.com", tenant.clone())
        .host("api.Example.com", api)
        .host("api-{region}.example.com", tenant.clone())
        .host("{*sub}.internal", tenant.clone())
        .host("[::1]", tenant)
        .get("/", tell)
        .get("/shared", tell)
        .fallback(|| async { "outer fallback" })
        .build()
}

async fn get(app: &TrieService, host: &str, path: &str) -> Answer {
    let request = Request::get(path).header(header::HOST, host);
    send(app, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn hosts_have_their_own_routes() {
    let app = app();
    for (host, path, body) in [
        (
            "acme.example.com",
            "/",
            "{tenant}.example.com / tenant=acme",
        ),
        (
            "ACME.Example.COM",
            "/",
            "{tenant}.example.com / tenant=acme",
        ),
        (
            "acme.example.com:8080",
            "/users/7",
            "{tenant}.example.com /users/{id} tenant=acme&id=7",
        ),
        (
            "acme.example.com.",
            "/",
            "{tenant}.example.com / tenant=acme",
        ),
        ("api.example.com", "/v1", "api.example.com /v{n} n=1"),
        // Where the host has no route, the routes of any host are tried, then its fallback.
        ("api.example.com", "/shared", "- /shared "),
        ("api.example.com", "/none", "api fallback"),
        ("acme.example.com", "/none", "outer fallback"),
        (
            "api-eu.example.com",
            "/",
            "api-{region}.example.com / region=eu",
        ),
        (
            "a.b.internal",
            "/users/7",
            "{*sub}.internal /users/{id} sub=a.b&id=7",
        ),
        ("a.internal", "/", "{*sub}.internal / sub=a"),
        ("[::1]:3000", "/", "[::1] / "),
        ("example.com", "/", "- / "),
        ("x.y.example.com", "/", "- / "),
        ("internal", "/", "- / "),
        ("a..example.com", "/", "- / "),
        ("a/b.example.com", "/", "- / "),
        (".", "/", "- / "),
    ] {
        assert_eq!(get(&app, host, path).await.body, body, "{host} {path}");
    }
}

#[tokio::test]
async fn the_authority_comes_before_the_header() {
    let app = app();
    let request =
        Request::get("http://acme.example.com:80/").header(header::HOST, "api.example.com");
    let answer = send(&app, request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.body, "{tenant}.example.com / tenant=acme");
    let request = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(send(&app, request).await.body, "- / ");
}

#[tokio::test]
async fn hosts_survive_nesting_and_merging() {
    let inner = TrieRouter::new().host("a.com", TrieRouter::new().get("/x", tell));
    let app = TrieRouter::new()
        .nest("/n", inner.clone())
        .merge(inner)
        .build();
    assert_eq!(get(&app, "a.com", "/n/x").await.body, "a.com /n/x ");
    assert_eq!(get(&app, "a.com", "/x").await.body, "a.com /x ");
    assert_eq!(get(&app, "b.com", "/x").await.status, 404);
}
