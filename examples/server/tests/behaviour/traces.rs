//! Spans reach a collector, and a collector that is away delays nobody.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

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
async fn the_bucket_of_a_traced_request_names_its_trace() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = collector.local_addr().unwrap().to_string();
    let server = Server::start(&["--otlp-collector", &address]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("traceparent", traceparent.as_str())];
    Client::http1(server.address)
        .send(Method::GET, "/hello", &headers, None)
        .await;
    let admin = Client::http1(server.admin());
    let plain = admin.get("/metrics").await;
    assert!(!plain.body.contains(trace), "0.0.4 has no exemplars");

    let accept = [(
        "accept",
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
    )];
    let open = admin.send(Method::GET, "/metrics", &accept, None).await;
    assert_eq!(
        open.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let with_trace: Vec<_> = open
        .body
        .lines()
        .filter(|line| line.contains(trace))
        .collect();
    let [line] = with_trace[..] else {
        panic!("{with_trace:?} in\n{}", open.body)
    };
    // The first bucket that has counted the request is the one with its exemplar, whose value it holds.
    let first = open.body.lines().find(|line| {
        line.starts_with("server_request_duration_seconds_bucket{route=\"/hello\"")
            && line.contains("} 1")
    });
    assert_eq!(first, Some(line));
    let bound: f64 = line
        .split("le=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let (_, exemplar) = line.split_once(" # ").unwrap();
    let mut parts = exemplar.split(' ');
    assert_eq!(parts.next().unwrap(), format!("{{trace_id=\"{trace}\"}}"));
    let value: f64 = parts.next().unwrap().parse().unwrap();
    assert!(value > 0.0 && value < bound, "{line}");
}

#[tokio::test]
async fn open_metrics_are_in_their_form() {
    let server = Server::start(&[]);
    Client::http1(server.address).get("/hello").await;
    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let open = Client::http1(server.admin())
        .send(Method::GET, "/metrics", &accept, None)
        .await;
    assert!(open.body.ends_with("\n# EOF\n"), "{}", open.body);
    let mut family = ("", "");
    for line in open.body.lines() {
        assert!(!line.is_empty(), "an empty line");
        if let Some(named) = line.strip_prefix("# TYPE ") {
            family = named.split_once(' ').unwrap();
            assert!(!family.0.ends_with("_total"), "{line}");
        } else if !line.starts_with('#') {
            let suffix = line.strip_prefix(family.0);
            let suffix = suffix.and_then(|rest| rest.split(['{', ' ']).next());
            let fits: &[&str] = match family.1 {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "summary" => &["", "_sum", "_count"],
                _ => &[""],
            };
            assert!(
                suffix.is_some_and(|suffix| fits.contains(&suffix)),
                "{line} under {family:?}"
            );
        }
    }
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

#[cfg(unix)]
#[test]
fn the_last_spans_are_sent_before_the_end() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = collector.local_addr().unwrap().to_string();
    let server = Server::start(&["--otlp-collector", &address]);
    let mut client = TcpStream::connect(server.address).unwrap();
    let request = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("Hello, World!"), "{answer}");
    // Long before spans have gathered.
    server.signal("TERM");
    let exported = export(&collector);
    let span = &exported["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["name"], "GET /hello");
    assert_eq!(server.wait().code(), Some(0));
}
