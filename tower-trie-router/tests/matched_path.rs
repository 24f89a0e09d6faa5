//! axum's `MatchedPath` in requests.
#![cfg(feature = "axum")]

mod client;

use axum::extract::MatchedPath;
use client::call;
use tower_trie_router::{TrieRouter, routing};

async fn tell(matched: Option<MatchedPath>) -> String {
    matched.map_or("none".into(), |path| path.as_str().to_owned())
}

#[tokio::test]
async fn it_is_the_pattern() {
    let app = TrieRouter::new()
        .get("/", tell)
        .get("/static", tell)
        .get("/users/{id}", tell)
        .get("/typed/{id:u32}", tell)
        .get("/files/{*path}", tell)
        .get("/img/{name}.{ext}", tell)
        .get("/src{*rest}", tell)
        .get("/opt/{a?}", tell)
        .get("/a:b/{{c}}", tell)
        .get("/:x/*y", tell)
        .nest("/v{n}", TrieRouter::new().get("/x", tell))
        .nest(
            "/{tenant}",
            TrieRouter::new().nest("/deep", TrieRouter::new().get("/{id}", tell)),
        )
        .fallback(tell)
        .build();
    for (path, matched) in [
        ("/", "/"),
        ("/static", "/static"),
        ("/users/7", "/users/{id}"),
        ("/typed/7", "/typed/{id:u32}"),
        ("/files/a/b", "/files/{*path}"),
        ("/opt/a", "/opt/{a?}"),
        ("/opt", "/opt/{a?}"),
        ("/a:b/{c}", "/a:b/{{c}}"),
        ("/:x/*y", "/:x/*y"),
        ("/acme/deep/7", "/{tenant}/deep/{id}"),
        // axum 0.8 knows no such patterns: the braces of the segment are doubled.
        ("/img/a.png", "/img/{{name}}.{{ext}}"),
        ("/srcx/y", "/src{{*rest}}"),
        ("/v1/x", "/v{{n}}/x"),
        ("/none/of/these", "none"),
    ] {
        assert_eq!(call(&app, "GET", path).await.body, matched, "{path}");
    }
}

#[tokio::test]
async fn it_can_be_left_out() {
    let app = TrieRouter::new()
        .get("/a", tell)
        .without_matched_path()
        .build();
    assert_eq!(call(&app, "GET", "/a").await.body, "none");
}

#[tokio::test]
async fn below_axums_nest_it_has_the_prefix() {
    let inner = TrieRouter::new()
        .get("/", tell)
        .get("/users/{id}", tell)
        .get("/{name}.json", tell)
        .build();
    let middle = axum::Router::new().nest_service("/inner", inner.clone());
    let app = axum::Router::new()
        .nest_service("/api", inner.clone())
        .nest_service("/{tenant}/x", inner)
        .nest("/deep", middle);
    for (path, matched) in [
        ("/api", "/api/"),
        ("/api/", "/api/"),
        ("/api/users/7", "/api/users/{id}"),
        ("/api/a.json", "/api/{{name}}.json"),
        ("/acme/x/users/7", "/{tenant}/x/users/{id}"),
        ("/deep/inner/users/7", "/deep/inner/users/{id}"),
    ] {
        assert_eq!(call(&app, "GET", path).await.body, matched, "{path}");
    }
}

#[tokio::test]
async fn each_mount_of_one_router_has_its_own() {
    let inner = TrieRouter::new().route("/{id}", routing::get(tell));
    let app = TrieRouter::new()
        .nest("/a", inner.clone())
        .nest("/b", inner)
        .build();
    assert_eq!(call(&app, "GET", "/a/1").await.body, "/a/{id}");
    assert_eq!(call(&app, "GET", "/b/1").await.body, "/b/{id}");
}
