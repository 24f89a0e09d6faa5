//! Spans reach a collector, and a collector that is away delays nobody.

use std::io::{Read, Write};
use std::net::TcpListener;

use http::Method;
use serde_json::Value;

use crate::client::Client;
use crate::process::Server;

/// Takes one export and returns what was sent.
fn export(collector: &TcpListener) -> Value {
    let (mut stream, _) = collector.accept().unwrap();
    let mut request = Vec::new();
    let body = loop {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).unwrap();
        request.extend(&bytes[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
            let length = head.split("Content-Length: ").nth(1).unwrap();
            if body.len() == length.lines().next().unwrap().parse::<usize>().unwrap() {
                break body.to_owned();
            }
        }
    };
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        .unwrap();
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn a_span_continues_the_clients_trace() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = collector.local_addr().unwrap().to_string();
    let server = Server::start(&["--otlp-collector", &address]);
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let traceparent = format!("00-{trace}-{parent}-01");
    let headers = [("traceparent", traceparent.as_str())];
    Client::http1(server.address)
        .send(Method::GET, "/hello/ada", &headers, None)
        .await;
    let exported = export(&collector);
    let span = &exported["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(
        (&span["traceId"], &span["parentSpanId"]),
        (&trace.into(), &parent.into()),
        "{span}"
    );
    assert_eq!(span["name"], "GET /hello/{name}");
    assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
    let number = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(number("endTimeUnixNano") >= number("startTimeUnixNano"));
}

#[tokio::test]
async fn without_the_collector_requests_are_answered_and_spans_counted_as_lost() {
    // Port 9 is discard, which nobody runs.
    let server = Server::start(&["--otlp-collector", "127.0.0.1:9"]);
    let client = Client::http1(server.address);
    assert_eq!(client.get("/hello").await.status, 200);
    let admin = Client::http1(server.admin());
    loop {
        let metrics = admin.get("/metrics").await.body;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("server_spans_dropped_total "));
        if line.expect("it is exposed") == "server_spans_dropped_total 1" {
            break;
        }
    }
}
