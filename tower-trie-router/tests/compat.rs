//! axum's own extractors behind a compatibility leaf.
#![cfg(feature = "axum")]

mod client;

use axum::{
    extract::{MatchedPath, OriginalUri, Path, RawPathParams, State},
    http::{StatusCode, Uri},
    routing::{any, get},
};
use client::call;
use tower_trie_router::TrieRouter;

async fn pair(Path(pair): Path<(String, String)>) -> String {
    format!("{pair:?}")
}

async fn raw(params: RawPathParams, uri: Uri, original: OriginalUri) -> String {
    let params: Vec<_> = params
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{} uri={uri} original={}", params.join("&"), original.0)
}

async fn matched(matched: Option<MatchedPath>) -> String {
    matched.map_or("none".into(), |path| path.as_str().to_owned())
}

#[tokio::test]
async fn axums_path_works_whatever_the_pattern() {
    let app = TrieRouter::new()
        .compat("/users/{id}/posts/{post}", get(pair))
        .compat("/img/{name}.{ext}", get(pair))
        .compat("/v{major}.{minor}/x", get(pair))
        .compat("/raw/{a}/{*rest}", get(raw))
        .compat(
            "/typed/{id:u32}",
            get(|Path(id): Path<u32>| async move { format!("{id}") }),
        )
        .compat("/static", get(raw))
        .compat("/opt/{a}/{b?}", get(raw))
        .route(
            "/hidden/{id}",
            get(|Path(id): Path<u8>| async move { format!("{id}") }),
        )
        .build();
    for (uri, status, body) in [
        ("/users/7/posts/9", 200, r#"("7", "9")"#),
        ("/users/a%2Fb/posts/caf%C3%A9", 200, r#"("a/b", "café")"#),
        ("/img/a%2Fb.png", 200, r#"("a/b", "png")"#),
        ("/v1.2/x", 200, r#"("1", "2")"#),
        (
            "/raw/1/b/c?q=1",
            200,
            "a=1&rest=b/c uri=/raw/1/b/c?q=1 original=/raw/1/b/c?q=1",
        ),
        (
            "/raw/1//c",
            200,
            "a=1&rest=/c uri=/raw/1//c original=/raw/1//c",
        ),
        ("/typed/7", 200, "7"),
        ("/typed/x", 404, ""),
        ("/static?q", 200, " uri=/static?q original=/static?q"),
        ("/opt/1", 200, "a=1 uri=/opt/1 original=/opt/1"),
        ("/opt/1/2", 200, "a=1&b=2 uri=/opt/1/2 original=/opt/1/2"),
        ("/hidden/7", 200, "7"),
        (
            "/hidden/700",
            400,
            "Invalid URL: Cannot parse `700` to a `u8`",
        ),
    ] {
        let answer = call(&app, "GET", uri).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (status, body),
            "{uri}"
        );
    }
}

#[tokio::test]
async fn the_rest_of_axum_is_right_too() {
    let api = TrieRouter::new()
        .compat("/{a}.{b}", get(raw))
        .compat("/{id}/matched", get(matched));
    let app = TrieRouter::new()
        .nest("/api/{tenant}", api)
        .compat("/m/{id}", get(matched))
        .compat("/m/{id}.json", get(matched))
        .compat(
            "/any/{id}",
            any(|Path(id): Path<u32>| async move { format!("any {id}") }),
        )
        .compat(
            "/own/{id}",
            get(|Path(id): Path<u32>| async move { format!("got {id}") }).fallback(
                |Path(id): Path<u32>| async move { (StatusCode::IM_A_TEAPOT, format!("{id}")) },
            ),
        )
        .compat(
            "/state/{id}",
            get(|State(n): State<u32>, Path(id): Path<u32>| async move { format!("{}", n + id) }),
        )
        .with_state(40_u32)
        .build();
    for (method, uri, status, body, allow) in [
        (
            "GET",
            "/api/acme/x.y",
            200,
            "tenant=acme&a=x&b=y uri=/x.y original=/api/acme/x.y",
            None,
        ),
        (
            "GET",
            "/api/acme/7/matched",
            200,
            "/api/{tenant}/{id}/matched",
            None,
        ),
        ("GET", "/m/7", 200, "/m/{id}", None),
        ("GET", "/m/7.json", 200, "/m/{{id}}.json", None),
        ("GET", "/any/7", 200, "any 7", None),
        ("LOCK", "/any/7", 200, "any 7", None),
        ("GET", "/own/7", 200, "got 7", None),
        ("HEAD", "/own/7", 200, "", None),
        ("POST", "/own/7", 418, "7", Some("GET,HEAD,OPTIONS")),
        ("POST", "/m/7", 405, "", Some("GET,HEAD,OPTIONS")),
        ("OPTIONS", "/m/7", 204, "", Some("GET,HEAD,OPTIONS")),
        ("GET", "/state/2", 200, "42", None),
    ] {
        let answer = call(&app, method, uri).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (status, body),
            "{method} {uri}"
        );
        assert_eq!(answer.header("allow"), allow, "{method} {uri}");
    }
    let head = call(&app, "HEAD", "/own/7").await;
    assert_eq!(head.header("content-length"), Some("5"));
}

#[tokio::test]
async fn methods_of_one_path_may_mix_native_and_compatible_handlers() {
    let app = TrieRouter::new()
        .get("/x/{id}", || async { "native" })
        .compat(
            "/x/{id}",
            axum::routing::post(|Path(id): Path<u32>| async move { format!("{id}") }),
        )
        .build();
    assert_eq!(call(&app, "GET", "/x/1").await.body, "native");
    assert_eq!(call(&app, "POST", "/x/1").await.body, "1");
    let refused = call(&app, "PUT", "/x/1").await;
    assert_eq!(refused.header("allow"), Some("GET,HEAD,POST,OPTIONS"));
}

/// A layer around an axum method router also sees the methods it has no endpoint for, as one for
/// CORS has to see a preflight.
#[tokio::test]
async fn a_method_routers_own_layer_sees_refusals_and_options() {
    let mark = |mut response: axum::response::Response| {
        response.headers_mut().insert("x-layer", 1.into());
        response
    };
    let layer = tower::util::MapResponseLayer::new(mark);
    let app = TrieRouter::new()
        .compat("/", get(|| async { "got" }).layer(layer))
        .build();
    for (method, status) in [("GET", 200), ("DELETE", 405), ("OPTIONS", 204)] {
        let answer = call(&app, method, "/").await;
        assert_eq!(answer.status, status, "{method}");
        assert_eq!(answer.header("x-layer"), Some("1"), "{method}");
        let allow = (status != 200).then_some("GET,HEAD,OPTIONS");
        assert_eq!(answer.header("allow"), allow, "{method}");
    }
}
