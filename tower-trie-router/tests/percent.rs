//! Percent-encoded bytes in matching.
#![cfg(feature = "axum")]

mod client;

use axum::extract::Request;
use client::call;
use tower_trie_router::{PercentPolicy, RouteMatch, TrailingSlash, TrieRouter, TrieService};

async fn tell(request: Request) -> String {
    let matched = request.extensions().get::<RouteMatch>().unwrap();
    let params: Vec<_> = matched
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{} {}", matched.pattern(), params.join("&"))
}

fn app(policy: PercentPolicy) -> TrieService {
    TrieRouter::new()
        .get("/café", tell)
        .get("/caf%C3%A9/raw", tell)
        .get("/users/{id}", tell)
        .get("/users/{id}/x", tell)
        .get("/admin", tell)
        .percent_policy(policy)
        .trailing_slash(TrailingSlash::Lenient)
        .build()
}

#[tokio::test]
async fn escapes_match_by_the_policy() {
    let raw = app(PercentPolicy::default());
    let normal = app(PercentPolicy::Normalize);
    for (path, as_raw, as_normal) in [
        ("/caf%C3%A9", None, Some("/café ")),
        ("/caf%c3%a9", None, Some("/café ")),
        ("/caf%C3%A9/raw", Some("/caf%C3%A9/raw "), None),
        // A segment is never split, and what is not decoded stays for the extractor.
        (
            "/users/a%2Fx",
            Some("/users/{id} id=a%2Fx"),
            Some("/users/{id} id=a%2Fx"),
        ),
        ("/users%2Fa", None, None),
        (
            "/users/%25",
            Some("/users/{id} id=%25"),
            Some("/users/{id} id=%25"),
        ),
        (
            "/users/%2561",
            Some("/users/{id} id=%2561"),
            Some("/users/{id} id=%2561"),
        ),
        (
            "/users/%61",
            Some("/users/{id} id=%61"),
            Some("/users/{id} id=a"),
        ),
        ("/%61dmin", None, Some("/admin ")),
        ("/%61dmin/", None, Some("/admin ")),
        ("/admin%00", None, None),
        ("/admin%2F", None, None),
        (
            "/users/%FF/x",
            Some("/users/{id}/x id=%FF"),
            Some("/users/{id}/x id=%FF"),
        ),
        (
            "/users/%zz",
            Some("/users/{id} id=%zz"),
            Some("/users/{id} id=%zz"),
        ),
    ] {
        for (app, expected) in [(&raw, as_raw), (&normal, as_normal)] {
            let answer = call(app, "GET", path).await;
            let status = if expected.is_some() { 200 } else { 404 };
            assert_eq!(answer.status.as_u16(), status, "{path}");
            assert_eq!(answer.body, expected.unwrap_or_default(), "{path}");
        }
    }
}

#[tokio::test]
async fn hostile_paths_are_answered() {
    let long = format!("/users/{}", "%41".repeat(20_000));
    let deep = "/a".repeat(10_000);
    for policy in [PercentPolicy::Raw, PercentPolicy::Normalize] {
        let app = app(policy);
        assert_eq!(call(&app, "GET", &long).await.status, 200);
        assert_eq!(call(&app, "GET", &deep).await.status, 404);
        for path in ["//", "/../..", "/users/..", "/users//x", "/%", "/%C3"] {
            let status = call(&app, "GET", path).await.status.as_u16();
            assert!(matches!(status, 200 | 404), "{path}: {status}");
        }
    }
}
