//! An axum application that gets what axum's own router has no pattern for, by adding one crate.
//!
//! `cargo run -p router-in-axum`, then open the addresses it prints. [`existing`] is the
//! application as it was; [`added`] is what is new; [`front`] puts the new routes before the old.

#![forbid(unsafe_code)]

use std::convert::Infallible;

use axum::{ServiceExt, extract::Request, middleware::Next, response::Response};
use tokio::net::TcpListener;
use tower_layer::Layer;
use tower_service::Service;
use tower_trie_router::BuildError;

/// The state that old and new handlers share.
#[derive(Debug, Clone)]
struct Library {
    name: &'static str,
}

/// The layer that old and new routes share.
async fn signed(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let signature = "the librarian".parse().expect("a valid header value");
    response.headers_mut().insert("x-signed-by", signature);
    response
}

/// The application as it was: axum's router, axum's extractors.
mod existing {
    use axum::{
        Json, Router,
        extract::{Path, State},
        middleware::from_fn,
        routing::get,
    };
    use serde_json::{Value, json};

    use super::{Library, signed};

    async fn index(State(library): State<Library>) -> String {
        format!("The library of {}", library.name)
    }

    async fn shelf(Path(shelf): Path<String>) -> String {
        format!("shelf {shelf}")
    }

    async fn book(
        State(library): State<Library>,
        Path((shelf, book)): Path<(String, String)>,
    ) -> Json<Value> {
        Json(json!({ "library": library.name, "shelf": shelf, "book": book }))
    }

    pub(crate) fn routes(library: Library) -> Router {
        Router::new()
            .route("/", get(index))
            .route("/shelves/{shelf}", get(shelf))
            .route("/shelves/{shelf}/{book}", get(book))
            .layer(from_fn(signed))
            .with_state(library)
    }
}

/// What is new: handlers of the same kind, by patterns that axum's router does not take.
mod added {
    use axum::{Json, extract::State, middleware::from_fn};
    use serde_json::{Value, json};
    use tower_trie_router::{BuildError, Path, TrieRouter, TrieService};

    use super::{Library, signed};

    async fn page(
        State(library): State<Library>,
        Path((book, page)): Path<(String, u32)>,
    ) -> Json<Value> {
        Json(json!({ "library": library.name, "book": book, "page": page }))
    }

    async fn numbered(Path(shelf): Path<u16>) -> String {
        format!("shelf number {shelf}")
    }

    pub(crate) fn routes(library: Library) -> Result<TrieService, BuildError> {
        TrieRouter::new()
            .get("/books/{book}-p{page:u32}.json", page)
            // A number goes here; any other name falls through to the old route of that shape.
            .get("/shelves/{shelf:u16}", numbered)
            .layer(from_fn(signed))
            .with_state(library)
            .try_build()
    }
}

/// The new routes first, and the old application for every path they do not match.
fn front(
    library: Library,
) -> Result<
    impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone,
    BuildError,
> {
    let new = added::routes(library.clone())?.into_layer();
    Ok(new.layer(existing::routes(library)))
}

/// Serves the application until the process ends.
async fn serve(listener: TcpListener) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = front(Library { name: "Babel" })?;
    axum::serve(listener, ServiceExt::<Request>::into_make_service(service)).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let address = "127.0.0.1:3001";
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}, which must be free: {error}"))?;
    for path in ["", "shelves/history", "shelves/12", "books/borges-p21.json"] {
        println!("http://{address}/{path}");
    }
    serve(listener).await
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    /// Sends a GET and reads the whole response.
    async fn get(listener: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: library\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn new_routes_answer_and_the_old_ones_still_do() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener));

        for (path, status, body) in [
            ("/", 200, "The library of Babel"),
            ("/shelves/history", 200, "shelf history"),
            (
                "/shelves/history/fictions",
                200,
                r#"{"book":"fictions","library":"Babel","shelf":"history"}"#,
            ),
            ("/shelves/12", 200, "shelf number 12"),
            ("/shelves/70000", 200, "shelf 70000"),
            (
                "/books/borges-p21.json",
                200,
                r#"{"book":"borges","library":"Babel","page":21}"#,
            ),
            ("/books/borges-pxx.json", 404, ""),
        ] {
            let response = get(address, path).await;
            let (head, got) = response.split_once("\r\n\r\n").unwrap();
            let expected = format!("HTTP/1.1 {status} ");
            assert!(head.starts_with(&expected), "{path}: {head}");
            assert_eq!(got, body, "{path}");
            assert!(head.contains("x-signed-by: the librarian"), "{path}");
        }
    }
}
