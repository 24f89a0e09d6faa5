//! Settings from a URL: new ones, none, wrong ones, and nobody there.

#![cfg(unix)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower_hotswap::Version;
use tower_hotswap::tls::{Certificates, HotTls, HotTlsListener};

use crate::client::Client;
use crate::process::Server;
use crate::tls::write_identity;

/// What a URL has, and whom it tells how it answered.
#[derive(Clone)]
struct Shelf {
    content: Arc<Mutex<Result<&'static str, StatusCode>>>,
    answered: mpsc::UnboundedSender<StatusCode>,
}

async fn settings(State(shelf): State<Shelf>, headers: HeaderMap) -> Response {
    let content = *shelf.content.lock().unwrap();
    let response = match content {
        Err(status) => status.into_response(),
        Ok(text) => {
            let tag = format!("\"{}\"", text.len());
            let asked = headers.get(header::IF_NONE_MATCH);
            if asked.is_some_and(|asked| asked.as_bytes() == tag.as_bytes()) {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                ([(header::ETAG, tag)], text).into_response()
            }
        }
    };
    // The test may have seen enough.
    let _ = shelf.answered.send(response.status());
    response
}

/// Waits until the URL has answered so.
async fn answered(answers: &mut mpsc::UnboundedReceiver<StatusCode>, status: StatusCode) {
    while answers.recv().await.expect("somebody asks") != status {}
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_follow_a_url() {
    let (answered_by, mut answers) = mpsc::unbounded_channel();
    let shelf = Shelf {
        content: Arc::new(Mutex::new(Ok("security-headers = false\n"))),
        answered: answered_by,
    };
    let content = shelf.content.clone();
    let put = |new| *content.lock().unwrap() = new;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/settings", listener.local_addr().unwrap());
    let routes = Router::new().route("/settings", get(settings));
    tokio::spawn(async move { axum::serve(listener, routes.with_state(shelf)).await });

    let server = Server::start(&["--config-url", &url, "--config-interval", "20ms"]);
    let client = Client::http1(server.address);
    let has_headers = async || {
        let hello = client.get("/hello").await;
        assert_eq!(hello.status, 200);
        hello.headers.contains_key("x-frame-options")
    };
    server.logged("settings in force");
    assert!(!has_headers().await);

    // What is not new is not fetched again, and asking for it changes nothing.
    for _ in 0..3 {
        answered(&mut answers, StatusCode::NOT_MODIFIED).await;
    }
    server.signal("HUP");
    server.logged("no setting has changed");
    assert!(!has_headers().await);

    // What is wrong changes nothing, whether it is text, settings, or there.
    put(Ok("security-headers = true\nbody-limit = \"huge\"\n"));
    let line = server.logged("settings refused");
    assert!(line.contains("\"huge\" is not a size"), "{line}");
    assert!(line.contains(&url), "{line}");
    put(Err(StatusCode::INTERNAL_SERVER_ERROR));
    let line = server.logged("settings refused");
    assert!(line.contains("was answered by status 500"), "{line}");
    assert!(!has_headers().await);
    server.signal("HUP");
    server.logged("no setting has changed");

    put(Ok("security-headers = true\n"));
    server.logged("settings in force");
    assert!(has_headers().await);
}

/// Whoever starts while nobody has settings serves with those it has, until there are some.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_no_reason_not_to_serve() {
    // Bound and never accepted from, so that nobody else gets the port.
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let url = format!("http://{address}/");
    drop(held);
    let server = Server::start(&["--config-url", &url, "--config-interval", "20ms"]);
    server.logged("was not answered");
    let client = Client::http1(server.address);
    assert_eq!(client.get("/hello").await.status, 200);
}

/// Settings over TLS: from whom the server was told to believe, and from nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn settings_are_believed_by_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (_, chain, key) = write_identity(folder.path(), "settings");
    let (_, other, _) = write_identity(folder.path(), "other");
    let certificates = Certificates::from_files(&chain, &key).unwrap();
    let tls = HotTls::new(certificates, Version::parse("1.0.0", b"").unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("https://localhost:{port}/settings");
    let routes = Router::new().route("/settings", get(async || "security-headers = false\n"));
    tokio::spawn(async move { axum::serve(HotTlsListener::new(listener, tls), routes).await });

    for (authority, believed) in [(&chain, true), (&other, false)] {
        let server = Server::start(&[
            "--config-url",
            &url,
            "--config-ca",
            authority,
            "--config-interval",
            "20ms",
        ]);
        let line = server.logged(match believed {
            true => "settings in force",
            false => "was not answered",
        });
        assert!(believed || line.contains(&url), "{line}");
        let hello = Client::http1(server.address).get("/hello").await;
        assert_eq!(hello.status, 200);
        assert_eq!(hello.headers.contains_key("x-frame-options"), !believed);
    }
}
