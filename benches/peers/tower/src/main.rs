//! axum as it comes, what this project makes of it, and what is below both: hyper, and a socket.

mod floor;

use std::{convert::Infallible, io, net::SocketAddr};

use axum::{Json, Router, extract::Path, routing::get};
use bench_peers::{Book, HELLO, arguments};
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Bytes,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Builder};
use tower_flowctl::serve::{Exec, Pipelined};
use tower_trie_router::TrieRouter;

fn main() -> io::Result<()> {
    let (address, words) = arguments();
    let variant = words.first().map_or("", String::as_str);
    let mut builder = match variant {
        // As `#[tokio::main]` makes it, with a worker for the one core.
        "axum" | "router" => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    let runtime = builder.worker_threads(1).enable_all().build()?;
    runtime.block_on(serve(variant, address))
}

async fn serve(variant: &str, address: SocketAddr) -> io::Result<()> {
    if variant == "floor" {
        return floor::serve(address).await;
    }
    let listener = TcpListener::bind(address).await?;
    match variant {
        "axum" | "axum-local" => axum::serve(listener, plain()).await,
        "router" => axum::serve(listener, ours().into_make_service()).await,
        "ours" => {
            tower_flowctl::serve(listener, ours())
                .exec(Exec::Local)
                // As axum::serve has it, and actix-web answers pipelines.
                .header_timeout(None)
                .pipelined(Pipelined::Together)
                .run()
                .await;
            Ok(())
        }
        "hyper" => bare_hyper(listener).await,
        other => Err(io::Error::other(format!("no variant is called `{other}`"))),
    }
}

/// HTTP/1.1 by hyper with one answer to everything: no router, no handler, no layer.
async fn bare_hyper(listener: TcpListener) -> io::Result<()> {
    async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let mut response = Response::new(Full::new(Bytes::from_static(HELLO.as_bytes())));
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        Ok(response)
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello));
        tokio::spawn(connection);
    }
}

async fn hello() -> &'static str {
    HELLO
}

fn plain() -> Router {
    async fn book(Path(id): Path<u64>) -> Json<Book> {
        Json(Book::numbered(id))
    }
    Router::new()
        .route("/hello", get(hello))
        .route("/api/v1/books/{id}", get(book))
}

fn ours() -> tower_trie_router::TrieService {
    async fn book(tower_trie_router::Path(id): tower_trie_router::Path<u64>) -> Json<Book> {
        Json(Book::numbered(id))
    }
    TrieRouter::new()
        .get("/hello", hello)
        .get("/api/v1/books/{id}", book)
        .build()
}
