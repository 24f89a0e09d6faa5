//! An axum application that gets what axum's own router has no pattern for, by adding one crate.
//!
//! `cargo run -p router-in-axum`, then open the addresses it prints. [`existing`] is the application as it
//! was; [`added`] is what is new; [`front`] puts the new routes before the old ones.

#![forbid(unsafe_code)]

use std::convert::Infallible;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router, ServiceExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_layer::Layer;
use tower_service::Service;
use tower_trie_router::{BuildError, Path, TrieRouter};

#[derive(Debug, Clone)]
struct Library {
    name: &'static str,
}

/// The application as it was: axum's router, axum's extractors.
fn existing(library: Library) -> Router {
    async fn show(State(library): State<Library>) -> String {
        format!("The library of {}", library.name)
    }
    async fn shelf(axum::extract::Path(shelf): axum::extract::Path<String>) -> String {
        format!("shelf {shelf}")
    }
    Router::new()
        .route("/", get(show))
        .route("/shelves/{shelf}", get(shelf))
        .with_state(library)
}

/// What is new: the same kind of handlers with the same state, by patterns that axum's router does not take.
fn added(library: Library) -> Result<TrieRouter, BuildError> {
    async fn page(
        State(library): State<Library>,
        Path((book, page)): Path<(String, u32)>,
    ) -> Json<Value> {
        Json(json!({ "library": library.name, "book": book, "page": page }))
    }
    async fn numbered(Path(shelf): Path<u16>) -> String {
        format!("shelf number {shelf}")
    }
    TrieRouter::new()
        .get("/books/{book}-p{page:u32}.json", page)
        // A number goes here; any other name falls through to the old route of the same shape.
        .get("/shelves/{shelf:u16}", numbered)
        .with_state(library)
        .check()
}

/// The new routes first, and the old application for every path they do not match.
fn front(
    library: Library,
) -> Result<
    impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone,
    BuildError,
> {
    let layer = added(library.clone())?.try_build()?.into_layer();
    Ok(layer.layer(existing(library)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = front(Library { name: "Babel" })?;
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    for path in ["", "shelves/history", "shelves/12", "books/borges-p21.json"] {
        println!("http://{}/{path}", listener.local_addr()?);
    }
    axum::serve(listener, ServiceExt::<Request>::into_make_service(service)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn new_routes_answer_and_the_old_ones_still_do() {
        let service = front(Library { name: "Babel" }).expect("the patterns are valid");
        let cases = [
            ("/", 200, "The library of Babel"),
            ("/shelves/history", 200, "shelf history"),
            ("/shelves/12", 200, "shelf number 12"),
            (
                "/books/borges-p21.json",
                200,
                r#"{"book":"borges","library":"Babel","page":21}"#,
            ),
            ("/books/borges-pxx.json", 404, ""),
        ];
        for (path, status, want) in cases {
            let request = Request::get(path)
                .body(Body::empty())
                .expect("the path is valid");
            let Ok(response) = service.clone().oneshot(request).await;
            assert_eq!(response.status(), status, "{path}");
            let body = response
                .into_body()
                .collect()
                .await
                .expect("the body is whole")
                .to_bytes();
            assert_eq!(body, want, "{path}");
        }
    }
}
