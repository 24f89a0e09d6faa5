//! The reverse proxy and its pooled connections.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use http::Method;

use crate::client::Client;
use crate::process::Server;
use crate::waiting::until;

#[tokio::test]
async fn requests_reach_the_upstream_over_few_connections() {
    let upstream = Server::start(&[]);
    let proxy = Server::start(&["--proxy-upstream", &upstream.address.to_string()]);
    let client = Client::http1(proxy.address);
    let made = client
        .post(
            "/proxy/api/v1/authors",
            serde_json::json!({"name": "Sophie Germain"}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("via"), "1.1 tower-example");
    for _ in 0..10 {
        let list = client
            .get("/proxy/api/v1/authors?name=germain&limit=1")
            .await;
        assert_eq!(list.json()["total"], 1);
    }
    let direct = Client::http1(upstream.address)
        .get("/api/v1/authors?name=germain")
        .await;
    assert_eq!(direct.json()["total"], 1);
    let metrics = Client::http1(upstream.admin()).get("/metrics").await.body;
    // One from the proxy, one from the line above.
    assert!(
        metrics.contains("server_connections_accepted_total{port=\"http\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_let_go() {
    // Its own upstream, which closes a connection long before the proxy has had enough of it.
    let server = Server::start(&["--idle-timeout", "1s"]);
    let admin = Client::http1(server.admin());
    let kept = async || {
        let metrics = admin.get("/metrics").await.body;
        let kept = "server_upstream_connections{";
        let mut rows = metrics.lines().filter(|row| row.starts_with(kept));
        rows.find(|row| row.contains("\"idle\""))
            .unwrap()
            .to_owned()
    };
    let hello = Client::http1(server.address).get("/proxy/hello").await;
    assert_eq!(hello.body, "Hello, World!");
    assert!(kept().await.ends_with(" 1"), "{}", kept().await);
    until("let go", async || {
        let kept = kept().await;
        kept.ends_with(" 0").then_some(()).ok_or(kept)
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_the_upstream_closes_costs_no_request() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Server::start(&[
        "--proxy-upstream",
        &upstream.local_addr().unwrap().to_string(),
    ]);
    std::thread::spawn(move || {
        for stream in upstream.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            // It promises to stay, and goes.
            let _ = reader
                .get_mut()
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    let client = Client::http1(proxy.address);
    for _ in 0..50 {
        assert_eq!(client.get("/proxy/x").await.status, 204);
    }
}

#[tokio::test]
async fn what_is_one_field_over_http1_arrives_as_one() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Server::start(&[
        "--proxy-upstream",
        &upstream.local_addr().unwrap().to_string(),
    ]);
    let seen = std::thread::spawn(move || {
        let (stream, _) = upstream.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        reader.get_mut().write_all(answer).unwrap();
        head
    });
    let cookies = [("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")];
    let answer = Client::http2(proxy.address)
        .send(Method::GET, "/proxy/x?y", &cookies, None)
        .await;
    assert_eq!(answer.status, 204);
    let head = seen.join().unwrap();
    assert!(head.starts_with("GET /x?y HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("cookie: a=1; b=2\r\n"), "{head}");
    assert_eq!(head.matches("cookie").count(), 1, "{head}");
    assert!(!head.contains("\r\nte:"), "{head}");
    assert!(head.contains("via: 2.0 tower-example\r\n"), "{head}");
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
}

#[tokio::test]
async fn what_cannot_be_forwarded_is_a_problem() {
    let off = Server::start(&["--proxy-upstream", "off"]);
    Client::http1(off.address)
        .get("/proxy/x")
        .await
        .problem(404);
    // Port 9 is discard, which nobody runs.
    let dead = Server::start(&["--proxy-upstream", "127.0.0.1:9"]);
    Client::http1(dead.address)
        .get("/proxy/x")
        .await
        .problem(502);
    let itself = Server::start(&[]);
    let client = Client::http1(itself.address);
    assert_eq!(client.get("/proxy/healthz").await.status, 200);
    client.get("/proxy/proxy/healthz").await.problem(508);
    let named = [("connection", "x-secret"), ("x-secret", "1")];
    let answer = client.send(Method::GET, "/proxy/hello", &named, None).await;
    assert_eq!(answer.body, "Hello, World!");
}
