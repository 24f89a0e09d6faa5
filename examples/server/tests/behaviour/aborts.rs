//! Requests that are not answered, or not wholly, are counted and logged as such; connections that stay are not among them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use http_body_util::BodyExt;
use serde_json::Value;

use crate::client::Client;
use crate::live::websocket;
use crate::process::Server;
use crate::waiting::until;

/// The line of the access log that has this in it.
fn line(server: &Server, part: &str) -> Value {
    let line = server.logged(part);
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Sends the head of a request and leaves the rest to the caller.
fn ask(server: SocketAddr, method: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Waits until a request reaches the upstream.
fn reached(upstream: &TcpListener) -> TcpStream {
    let (mut stream, _) = upstream.accept().unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    stream
}

async fn metrics(server: &Server) -> String {
    Client::http1(server.admin()).get("/metrics").await.body
}

fn aborted(route: &str, phase: &str, count: u64) -> String {
    format!("server_requests_aborted_total{{route=\"{route}\",phase=\"{phase}\"}} {count}\n")
}

const PROXIED: &str = "/proxy/{*path}";

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_before_the_response_is_counted_and_logged() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap().to_string();
    let server = Server::start(&[
        "--proxy-upstream",
        &address,
        "--half-closed",
        "cancel",
        "--access-log",
        "json",
    ]);
    let gone = ask(server.address, "GET", "/proxy/one");
    let _held = reached(&upstream);
    drop(gone);
    let logged = line(&server, "/proxy/one");
    let fields = ["status", "aborted", "bytes"].map(|name| logged[name].clone());
    let expected: [Value; 3] = [499.into(), "head".into(), 0.into()];
    assert_eq!(fields, expected, "{logged}");

    let client = Client::http2(server.address);
    let canceled = tokio::spawn(async move { client.get("/proxy/two").await });
    let _held = reached(&upstream);
    canceled.abort();
    let logged = line(&server, "/proxy/two");
    assert_eq!(logged["status"], 499, "{logged}");
    assert_eq!(logged["version"], "HTTP/2.0", "{logged}");

    let metrics = metrics(&server).await;
    assert!(metrics.contains(&aborted(PROXIED, "head", 2)), "{metrics}");
    assert!(metrics.contains("server_requests_in_flight 0\n"));
    // They have no status, and no duration that would mean anything.
    let durations = format!("server_request_duration_seconds_count{{route=\"{PROXIED}\"}} 0\n");
    assert!(metrics.contains(&durations), "{metrics}");
}

#[test]
fn in_the_common_format_nobody_was_there_is_499() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap().to_string();
    let arguments = ["--proxy-upstream", &address, "--half-closed", "cancel"];
    let server = Server::start(&[&arguments[..], &["--access-log", "common"]].concat());
    let gone = ask(server.address, "GET", "/proxy/x");
    let _held = reached(&upstream);
    drop(gone);
    let line = server.logged("/proxy/x");
    assert!(line.ends_with("\"GET /proxy/x HTTP/1.1\" 499 0"), "{line}");
    server.signal("TERM");
    let stopped = server.logged("stopped: every request was answered but the aborted");
    assert!(stopped.contains("requests=0 aborted=1 "), "{stopped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_within_the_body_is_counted_and_logged() {
    // More than fits into the buffers of a connection.
    const SIZE: u64 = 256 << 20;
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("large.bin")).unwrap();
    file.set_len(SIZE).unwrap();
    let site = folder.path().to_str().unwrap();
    let server = Server::start(&["--site", site, "--access-log", "json"]);
    let mut whole = ask(server.address, "GET", "/site/large.bin?whole");
    whole.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(std::io::copy(&mut whole, &mut std::io::sink()).unwrap() > SIZE);
    let logged = line(&server, "?whole");
    let fields = ["status", "aborted", "bytes"].map(|name| logged[name].clone());
    assert_eq!(fields, [200.into(), Value::Null, SIZE.into()]);
    // The response began long before it had ended.
    let micros = ["micros", "total_micros"].map(|name| logged[name].as_u64().unwrap());
    assert!(micros[0] < micros[1], "{logged}");

    let mut head = ask(server.address, "HEAD", "/site/large.bin?head");
    head.shutdown(std::net::Shutdown::Write).unwrap();
    head.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(line(&server, "?head")["aborted"], Value::Null);

    let mut part = ask(server.address, "GET", "/site/large.bin?part");
    part.read_exact(&mut [0; 100_000]).unwrap();
    drop(part);
    let logged = line(&server, "?part");
    assert_eq!(logged["aborted"], "body", "{logged}");
    assert_eq!(logged["status"], 200, "it was what the client was told");
    assert!(logged["bytes"].as_u64().unwrap() < SIZE, "{logged}");

    let client = Client::http2(server.address);
    let mut body = client.begin("/site/large.bin?stream").await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(line(&server, "?stream")["aborted"], "body");

    let metrics = metrics(&server).await;
    let counted = metrics.lines().find(|line| {
        line.starts_with("server_requests_aborted_total{route=\"/site") && line.contains("body")
    });
    let counted = counted.expect("the site has a route");
    assert!(counted.ends_with("} 2"), "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_whose_source_fails_is_not_laid_at_the_clients_door() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap().to_string();
    let server = Server::start(&["--proxy-upstream", &address, "--access-log", "json"]);
    let mut client = ask(server.address, "GET", "/proxy/x");
    let mut answering = reached(&upstream);
    answering
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe beginning")
        .unwrap();
    answering.shutdown(std::net::Shutdown::Write).unwrap();
    // However it is told that this is not all.
    let _ = client.read_to_end(&mut Vec::new());
    let logged = line(&server, "/proxy/x");
    assert_eq!(logged["aborted"], "source", "{logged}");
    assert_eq!(logged["bytes"], 13, "{logged}");
    let metrics = metrics(&server).await;
    assert!(
        metrics.contains(&aborted(PROXIED, "source", 1)),
        "{metrics}"
    );
    assert!(metrics.contains(&aborted(PROXIED, "body", 0)), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_stay_end_as_they_do() {
    let server = Server::start(&["--access-log", "json"]);
    crate::admin::event(server.address, "/events", |_, _| Some(()));
    assert_eq!(line(&server, "/events")["aborted"], Value::Null);
    drop(websocket(&server));
    let events = Client::http2(server.address).begin("/events").await;
    drop(events);
    let metrics = until("three requests that have ended", async || {
        let metrics = metrics(&server).await;
        let ended = [
            "server_requests_total{route=\"/events\",status=\"2xx\"} 2\n",
            "server_requests_total{route=\"/echo\",status=\"1xx\"} 1\n",
            "server_websockets_open 0\n",
            "server_connections_open{port=\"http\"} 0\n",
        ];
        match ended.iter().all(|line| metrics.contains(line)) {
            true => Ok(metrics),
            false => Err(metrics),
        }
    })
    .await;
    for route in ["/events", "/echo"] {
        for phase in ["head", "body", "source"] {
            assert!(metrics.contains(&aborted(route, phase, 0)), "{metrics}");
        }
    }
}
