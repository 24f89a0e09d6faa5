//! The routes of a built router, listed and drawn.
#![cfg(feature = "axum")]

use axum::http::Method;
use tower_trie_router::{TrieRouter, TrieService};

fn app() -> TrieService {
    async fn nothing() {}
    let users = TrieRouter::new()
        .get("/", nothing)
        .post("/", nothing)
        .get("/{id}", nothing)
        .delete("/{id}", nothing);
    TrieRouter::new()
        .get("/", nothing)
        .nest("/api/users", users)
        .any("/files/{*path}", nothing)
        .on("/files", Method::from_bytes(b"PURGE").unwrap(), nothing)
        .host("{t}.example.com", TrieRouter::new().get("/", nothing))
        .build()
}

#[test]
fn routes_are_iterated_with_their_methods() {
    let app = app();
    let routes: Vec<_> = app.routes().map(|route| route.to_string()).collect();
    assert_eq!(
        routes,
        [
            "GET /",
            "GET,POST /api/users",
            "GET,DELETE /api/users/{id}",
            "* /files/{*path}",
            "PURGE /files",
            "GET / on {t}.example.com",
        ]
    );
    let user = app.routes().nth(2).unwrap();
    assert_eq!(user.pattern(), "/api/users/{id}");
    assert_eq!(user.methods(), [Method::GET, Method::DELETE]);
    assert!(!user.any_method());
    assert_eq!(user.host(), None);
    assert_eq!(app.routes().len(), 6);
}

#[test]
fn display_draws_the_tree() {
    let drawn = "\
*
├─ /  GET
├─ /api
│  └─ /users  GET,POST
│     └─ /{id}  GET,DELETE
└─ /files  PURGE
   └─ /{*path}  *
{t}.example.com
└─ /  GET
";
    assert_eq!(app().to_string(), drawn);
}
