//! The router under `axum::serve` and inside axum's routers, over real sockets.
#![cfg(feature = "axum")]

mod client;

use std::net::SocketAddr;

use axum::{
    ServiceExt,
    extract::{ConnectInfo, MatchedPath, NestedPath, OriginalUri, Request},
    http::Uri,
};
use client::call;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tower_trie_router::{RouteMatch, TrieRouter, TrieService};

/// Sends raw bytes to a listener and reads until it closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

fn app() -> TrieService {
    TrieRouter::new()
        .get("/users/{id}", |request: Request| async move {
            let matched = request.extensions().get::<RouteMatch>().unwrap();
            format!("user {}", matched.get("id").unwrap())
        })
        .post("/echo", |body: String| async move { body })
        .build()
}

#[tokio::test]
async fn it_is_a_whole_application_under_serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, app().into_make_service())
        .with_graceful_shutdown(async move { drop(stopped.await) });
    let server = tokio::spawn(async move { server.await });

    for (request, start, end) in [
        (
            "GET /users/7 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200",
            "user 7",
        ),
        (
            "GET http://x/users/7 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200",
            "user 7",
        ),
        (
            "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
            "HTTP/1.1 200",
            "hello",
        ),
        (
            "HEAD /users/7 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200",
            "\r\n\r\n",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 204",
            "\r\n\r\n",
        ),
        (
            "CONNECT x:1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 404",
            "\r\n\r\n",
        ),
        (
            "DELETE /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 405",
            "\r\n\r\n",
        ),
    ] {
        let response = exchange(address, request).await;
        assert!(response.starts_with(start), "{request:?}: {response:?}");
        assert!(response.ends_with(end), "{request:?}: {response:?}");
        if request.starts_with("HEAD") {
            assert!(response.contains("content-length: 6\r\n"), "{response:?}");
        }
        if start.ends_with("405") || start.ends_with("204") {
            assert!(response.contains("\r\nallow: "), "{response:?}");
        }
    }
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn connect_info_reaches_the_handlers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = TrieRouter::new()
        .get(
            "/",
            |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { format!("{}", peer.ip()) },
        )
        .build();
    let make = ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(app);
    let (stop, stopped) = oneshot::channel::<()>();
    let server =
        axum::serve(listener, make).with_graceful_shutdown(async move { drop(stopped.await) });
    let server = tokio::spawn(async move { server.await });
    let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert!(exchange(address, request).await.ends_with("127.0.0.1"));
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn it_is_a_fallback_service() {
    let outer = axum::Router::new()
        .route("/axum", axum::routing::get("axum"))
        .fallback_service(app());
    assert_eq!(call(&outer, "GET", "/axum").await.body, "axum");
    assert_eq!(call(&outer, "GET", "/users/7").await.body, "user 7");
    assert_eq!(call(&outer, "GET", "/none").await.status, 404);
}

#[tokio::test]
async fn it_is_nested_by_axum() {
    async fn tell(
        uri: Uri,
        OriginalUri(original): OriginalUri,
        nested: NestedPath,
        matched: MatchedPath,
        request: Request,
    ) -> String {
        let id = request.extensions().get::<RouteMatch>().unwrap();
        let id = id.get("id").unwrap();
        format!(
            "{uri} {original} {} {} {id}",
            nested.as_str(),
            matched.as_str()
        )
    }
    let compat = |axum::extract::Path(all): axum::extract::Path<Vec<(String, String)>>| async move {
        format!("{all:?}")
    };
    let inner = TrieRouter::new()
        .get("/users/{id}", tell)
        .nest("/in", TrieRouter::new().get("/{id}", tell))
        .compat("/compat/{id}", axum::routing::get(compat))
        .build();
    let outer = axum::Router::new().nest_service("/{tenant}", inner);
    for (path, body) in [
        (
            "/acme/users/7",
            "/users/7 /acme/users/7 /{tenant} /{tenant}/users/{id} 7",
        ),
        (
            "/acme/in/7",
            "/7 /acme/in/7 /{tenant}/in /{tenant}/in/{id} 7",
        ),
        ("/acme/compat/7", r#"[("tenant", "acme"), ("id", "7")]"#),
    ] {
        assert_eq!(call(&outer, "GET", path).await.body, body, "{path}");
    }
}

#[tokio::test]
async fn routers_mounted_in_each_other_keep_all_parameters() {
    let inner = TrieRouter::new()
        .get("/users/{id}", |request: Request| async move {
            let matched = request.extensions().get::<RouteMatch>().unwrap();
            let all: Vec<_> = matched
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            assert_eq!(matched.get("tenant"), Some("acme"));
            format!("{} {}", matched.pattern(), all.join("&"))
        })
        .build();
    let outer = TrieRouter::<()>::new()
        .nest_service("/{tenant}", inner)
        .build();
    let answer = call(&outer, "GET", "/acme/users/7").await;
    assert_eq!(answer.body, "/users/{id} tenant=acme&id=7");
}
