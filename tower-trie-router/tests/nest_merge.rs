//! Nesting and merging: URIs, parameters, fallbacks.
#![cfg(feature = "axum")]

mod client;

use axum::{
    extract::{NestedPath, OriginalUri},
    http::{Request, StatusCode, Uri},
};
use client::call;
use tower_trie_router::{RouteMatch, TrieRouter, TrieService};

async fn tell(request: Request<axum::body::Body>) -> String {
    let extensions = request.extensions();
    let matched = extensions.get::<RouteMatch>().unwrap();
    let params: Vec<_> = matched
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let nested = extensions
        .get::<NestedPath>()
        .map_or("-", NestedPath::as_str);
    let original = extensions.get::<OriginalUri>().map(|uri| uri.0.to_string());
    format!(
        "{} {} {} {nested} {}",
        matched.pattern(),
        params.join("&"),
        request.uri(),
        original.as_deref().unwrap_or("-"),
    )
}

fn nested() -> TrieService {
    let users = TrieRouter::new()
        .get("/", tell)
        .get("/{id}", tell)
        .get("/{id}/x", tell);
    let tenant = TrieRouter::new()
        .nest("/users", users.clone())
        .get("/me", tell);
    TrieRouter::new()
        .nest("/{tenant}", tenant)
        .nest("/v{n}", users.clone())
        .nest("/slash/", users)
        .get("/top", tell)
        .build()
}

#[tokio::test]
async fn handlers_see_the_rest_of_the_path_and_all_parameters() {
    let app = nested();
    for (uri, status, body) in [
        ("/top", 200, "/top  /top - -"),
        (
            "/acme/me?q=1",
            200,
            "/{tenant}/me tenant=acme /me?q=1 /{tenant} /acme/me?q=1",
        ),
        (
            "/acme/users/7",
            200,
            "/{tenant}/users/{id} tenant=acme&id=7 /7 /{tenant}/users /acme/users/7",
        ),
        (
            "/acme/users",
            200,
            "/{tenant}/users tenant=acme / /{tenant}/users /acme/users",
        ),
        ("/acme/users/", 404, ""),
        ("/v2/7", 200, "/v{n}/{id} n=2&id=7 /7 - /v2/7"),
        ("/slash/7", 200, "/slash/{id} id=7 /7 /slash/ /slash/7"),
        ("/slash/", 200, "/slash/  / /slash/ /slash/"),
        ("/slash", 404, ""),
        ("/acme", 404, ""),
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
async fn a_nested_uri_is_stripped_for_who_can_see_it() {
    let inner = TrieRouter::new().get("/x", |uri: Uri| async move { uri.to_string() });
    let app = TrieRouter::new().nest("/api", inner).build();
    assert_eq!(call(&app, "GET", "/api/x?y").await.body, "/x?y");
}

#[tokio::test]
async fn fallbacks_are_inherited_or_their_own() {
    let own = TrieRouter::new()
        .get("/a", || async { "a" })
        .fallback(|| async { "inner fallback" });
    let plain = TrieRouter::new().get("/a", || async { "a" });
    let deep = TrieRouter::new().nest("/deep", own.clone());
    let app = TrieRouter::new()
        .nest("/own", own)
        .nest("/plain", plain)
        .nest("/{any}/x", deep)
        .fallback(|| async { "outer fallback" })
        .build();
    for (uri, body) in [
        ("/own/a", "a"),
        ("/own/b", "inner fallback"),
        ("/own", "inner fallback"),
        ("/own/", "inner fallback"),
        ("/own/b/c", "inner fallback"),
        ("/ownb", "outer fallback"),
        ("/plain/b", "outer fallback"),
        ("/1/x/deep/b", "inner fallback"),
        ("/1/x/b", "outer fallback"),
        ("/", "outer fallback"),
    ] {
        assert_eq!(call(&app, "GET", uri).await.body, body, "{uri}");
    }
    let reset = TrieRouter::<()>::new()
        .fallback(|| async { "gone" })
        .reset_fallback()
        .build();
    assert_eq!(call(&reset, "GET", "/").await.status, 404);
}

#[tokio::test]
async fn fallbacks_see_the_parameters_of_their_prefix() {
    async fn fallback(request: Request<axum::body::Body>) -> (StatusCode, String) {
        let matched = request.extensions().get::<RouteMatch>().unwrap();
        let tenant = matched.get("tenant").unwrap().to_owned();
        assert_eq!(matched.len(), 1);
        (StatusCode::NOT_FOUND, format!("{tenant} {}", request.uri()))
    }
    let inner = TrieRouter::new().fallback(fallback);
    let app = TrieRouter::new().nest("/{tenant}", inner).build();
    assert_eq!(call(&app, "GET", "/acme/b/c").await.body, "acme /b/c");
}

#[tokio::test]
async fn merged_routes_stand_beside_each_other() {
    let one = TrieRouter::new()
        .get("/a", || async { "get a" })
        .fallback(|| async { "fallback" });
    let two = TrieRouter::new()
        .post("/a", || async { "post a" })
        .get("/b", || async { "b" });
    for app in [
        one.clone().merge(two.clone()).build(),
        two.merge(one).build(),
    ] {
        for (method, uri, body) in [
            ("GET", "/a", "get a"),
            ("POST", "/a", "post a"),
            ("GET", "/b", "b"),
            ("GET", "/c", "fallback"),
        ] {
            assert_eq!(call(&app, method, uri).await.body, body, "{method} {uri}");
        }
    }
}

#[tokio::test]
async fn a_nested_service_sees_the_rest() {
    let inner = axum::Router::new()
        .route(
            "/",
            axum::routing::get(|uri: Uri| async move { format!("root {uri}") }),
        )
        .route(
            "/{id}",
            axum::routing::get(
                |axum::extract::Path(all): axum::extract::Path<Vec<(String, String)>>,
                 matched: axum::extract::MatchedPath,
                 nested: NestedPath,
                 OriginalUri(uri): OriginalUri| async move {
                    format!("{all:?} {} {} {uri}", matched.as_str(), nested.as_str())
                },
            ),
        );
    let prefixed = TrieRouter::new().nest_service("/in/{b}", inner.clone());
    let app = TrieRouter::new()
        .nest_service("/{a}/svc", inner.clone())
        .nest_service("/v{n}", inner)
        .nest("/out", prefixed)
        .build();
    for (uri, status, body) in [
        ("/1/svc", 200, "root /"),
        ("/1/svc/", 200, "root /"),
        ("/1/svc?q", 200, "root /?q"),
        (
            "/1/svc/7",
            200,
            r#"[("a", "1"), ("id", "7")] /{a}/svc/{id} /{a}/svc /1/svc/7"#,
        ),
        ("/1/svc/7/8", 404, ""),
        ("/v1", 200, "root /"),
        (
            "/out/in/2/7",
            200,
            r#"[("b", "2"), ("id", "7")] /out/in/{b}/{id} /out/in/{b} /out/in/2/7"#,
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
