//! The router as a layer in front of another service.
#![cfg(feature = "axum")]

mod client;

use axum::routing::{get, post};
use client::call;
use tower::Layer;
use tower_trie_router::{FallThrough, TrieRouter};

#[tokio::test]
async fn what_no_route_matches_goes_on() {
    let behind = || {
        axum::Router::new()
            .route(
                "/old/{id}",
                get(
                    |axum::extract::Path(id): axum::extract::Path<u32>| async move {
                        format!("old {id}")
                    },
                ),
            )
            .route("/users", post(|| async { "old post" }))
            .fallback(|| async { "old fallback" })
    };
    let front = || {
        TrieRouter::new()
            .get("/users", || async { "new get" })
            .build()
            .into_layer()
    };
    let by_path = front().layer(behind());
    let by_method = front()
        .fall_through(FallThrough::PathOrMethod)
        .layer(behind());
    for (method, path, status, path_body, method_body) in [
        ("GET", "/users", [200, 200], "new get", "new get"),
        ("HEAD", "/users", [200, 200], "", ""),
        ("POST", "/users", [405, 200], "", "old post"),
        ("OPTIONS", "/users", [204, 405], "", ""),
        ("GET", "/old/7", [200, 200], "old 7", "old 7"),
        ("GET", "/none", [200, 200], "old fallback", "old fallback"),
    ] {
        for (app, status, body) in [
            (&by_path, status[0], path_body),
            (&by_method, status[1], method_body),
        ] {
            let answer = call(app, method, path).await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.body),
                (status, body),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_router_with_a_fallback_answers_everything() {
    let front = TrieRouter::new().fallback(|| async { "front" }).build();
    let app = front
        .into_layer()
        .layer(axum::Router::new().route("/a", get("behind")));
    assert_eq!(call(&app, "GET", "/a").await.body, "front");
}

#[tokio::test]
async fn it_is_a_layer_of_an_axum_router() {
    let front = TrieRouter::new()
        .get("/a", || async { "front" })
        .build()
        .into_layer();
    let app = axum::Router::new()
        .route("/a", get("behind"))
        .route("/b", get("behind"))
        .layer(tower::ServiceBuilder::new().layer(front));
    assert_eq!(call(&app, "GET", "/a").await.body, "front");
    assert_eq!(call(&app, "GET", "/b").await.body, "behind");
}
