//! Paths that differ from a route by a slash at their end.
#![cfg(feature = "axum")]

mod client;

use axum::http::Uri;
use client::call;
use tower_trie_router::{RouteMatch, TrailingSlash, TrieRouter, TrieService};

fn app(policy: TrailingSlash) -> TrieService {
    let id = |request: axum::extract::Request| async move {
        let matched = request.extensions().get::<RouteMatch>().unwrap();
        matched.get("id").unwrap().to_owned()
    };
    TrieRouter::new()
        .get("/", || async { "root" })
        .get("/users", |uri: Uri| async move { format!("users {uri}") })
        .get("/dir/", || async { "dir" })
        .get("/both", || async { "both" })
        .get("/both/", || async { "both/" })
        .get("/u/{id}", id)
        .get("/d/{id}/", id)
        .get("/all/{*rest}", || async { "all" })
        .trailing_slash(policy)
        .build()
}

#[tokio::test]
async fn strict_takes_paths_as_they_are() {
    let app = app(TrailingSlash::default());
    for (path, status) in [
        ("/", 200),
        ("/users", 200),
        ("/users/", 404),
        ("/dir", 404),
        ("/dir/", 200),
        ("/u/1/", 404),
        ("/d/1", 404),
    ] {
        assert_eq!(
            call(&app, "GET", path).await.status.as_u16(),
            status,
            "{path}"
        );
    }
}

#[tokio::test]
async fn redirect_names_the_route() {
    let app = app(TrailingSlash::Redirect);
    for (method, path, status, location) in [
        ("GET", "/users", 200, None),
        ("GET", "/users/", 308, Some("/users")),
        ("POST", "/users/?a=1&b", 308, Some("/users?a=1&b")),
        ("GET", "/dir?q", 308, Some("/dir/?q")),
        ("GET", "/both", 200, None),
        ("GET", "/both/", 200, None),
        ("GET", "/u/a%2Fb/", 308, Some("/u/a%2Fb")),
        ("GET", "/d/1", 308, Some("/d/1/")),
        ("GET", "/users//", 404, None),
        ("GET", "/none/", 404, None),
        ("GET", "/all/", 404, None),
        ("GET", "/all/x/", 200, None),
    ] {
        let answer = call(&app, method, path).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_eq!(answer.header("location"), location, "{method} {path}");
    }
}

#[tokio::test]
async fn a_redirect_never_names_another_host() {
    let app = TrieRouter::new()
        .get("//evil.example", || async { "double" })
        .get("/\\evil.example", || async { "backslash" })
        .get("//slash.example/", || async { "double" })
        .trailing_slash(TrailingSlash::Redirect)
        .build();
    for path in [
        "//evil.example/",
        "/\\evil.example/",
        "//slash.example",
        "//evil.example/?x",
    ] {
        let answer = call(&app, "GET", path).await;
        let location = answer.header("location").unwrap_or("none");
        assert!(!location.starts_with("//"), "{path}: {location}");
        assert!(!location.starts_with("/\\"), "{path}: {location}");
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn lenient_calls_the_route() {
    let app = app(TrailingSlash::Lenient);
    for (path, status, body) in [
        ("/users/", 200, "users /users/"),
        ("/dir", 200, "dir"),
        ("/both", 200, "both"),
        ("/both/", 200, "both/"),
        ("/u/1/", 200, "1"),
        ("/u/a%2F/", 200, "a%2F"),
        ("/d/1", 200, "1"),
        ("/users//", 404, ""),
        ("/", 200, "root"),
    ] {
        let answer = call(&app, "GET", path).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (status, body),
            "{path}"
        );
    }
    assert_eq!(call(&app, "POST", "/users/").await.status, 405);
}

#[tokio::test]
async fn a_redirect_below_an_axum_nest_keeps_the_prefix() {
    let inner = app(TrailingSlash::Redirect);
    let outer = axum::Router::new().nest_service("/api", inner);
    let answer = call(&outer, "GET", "/api/users/?q").await;
    assert_eq!(answer.status, 308);
    assert_eq!(answer.header("location"), Some("/api/users?q"));
}
