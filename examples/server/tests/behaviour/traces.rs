//! Spans reach a collector, and a collector that is away delays nobody.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use http::Method;
use serde_json::Value;

use crate::client::Client;
use crate::process::Server;
use crate::waiting::until;

/// Port 9 is discard, which nobody runs.
const NOBODY: &str = "127.0.0.1:9";

/// Takes one export and returns what was sent.
fn export(collector: &TcpListener) -> Value {
    let (stream, _) = collector.accept().unwrap();
    take(stream).expect("the export comes to its end")
}

/// `None` if whoever sent it has gone before its end.
fn take(mut stream: TcpStream) -> Option<Value> {
    let mut request = Vec::new();
    let body = loop {
        let mut bytes = [0; 4096];
        let length = match stream.read(&mut bytes) {
            Ok(0) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            read => read.unwrap(),
        };
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
    let answered = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let exported = serde_json::from_str(&body).unwrap();
    answered.is_ok().then_some(exported)
}

fn spans(export: &Value) -> &Vec<Value> {
    let spans = &export["resourceSpans"][0]["scopeSpans"][0]["spans"];
    spans.as_array().unwrap()
}

/// An attribute's value, whatever its type.
fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a Value> {
    let mut attributes = span["attributes"].as_array().unwrap().iter();
    let found = attributes.find(|attribute| attribute["key"] == key)?;
    found["value"].as_object().unwrap().values().next()
}

/// Answers requests on one connection, and returns the head of each.
fn upstream(requests: usize) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let heads = (0..requests).map(|_| {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
            }
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            reader.get_mut().write_all(answer).unwrap();
            head
        });
        heads.collect()
    });
    (address, answering)
}

/// The values of a header.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let named = lines.filter(|(of, _)| *of == name);
    named.map(|(_, value)| value).collect()
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
    let server = Server::start(&["--otlp-collector", NOBODY]);
    let client = Client::http1(server.address);
    assert_eq!(client.get("/hello").await.status, 200);
    let admin = Client::http1(server.admin());
    until("a span that is dropped", async || {
        let metrics = admin.get("/metrics").await.body;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("server_spans_dropped_total "));
        match line.expect("it is exposed") {
            "server_spans_dropped_total 1" => Ok(()),
            line => Err(line.to_owned()),
        }
    })
    .await;
}

#[tokio::test]
async fn a_span_says_no_route_that_there_is_not_and_which_error_there_is() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = collector.local_addr().unwrap().to_string();
    let server = Server::start(&["--otlp-collector", &address, "--proxy-upstream", NOBODY]);
    let client = Client::http1(server.address);
    let long = "X".repeat(5_000);
    let long = Method::from_bytes(long.as_bytes()).unwrap();
    client.get("/nowhere").await.problem(404);
    client.get("/proxy/x").await.problem(502);
    client.send(long, "/nowhere", &[], None).await;
    let mut recorded = Vec::new();
    while recorded.len() < 3 {
        recorded.extend(spans(&export(&collector)).clone());
    }
    let [unmatched, failed, long] = &recorded[..] else {
        panic!("{recorded:?}")
    };
    assert_eq!(unmatched["name"], "GET");
    assert_eq!(attribute(unmatched, "http.route"), None);
    assert_eq!(attribute(unmatched, "error.type"), None);
    assert_eq!(failed["name"], "GET /proxy/{*path}");
    assert_eq!(attribute(failed, "http.route").unwrap(), "/proxy/{*path}");
    assert_eq!(attribute(failed, "error.type").unwrap(), "502");
    assert_eq!(failed["status"]["code"], 2);
    assert_eq!(long["name"], "X".repeat(32));
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn an_upstream_is_told_which_span_and_which_request_asks() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, upstream) = upstream(5);
    let server = Server::start(&[
        "--otlp-collector",
        &collector.local_addr().unwrap().to_string(),
        "--proxy-upstream",
        &address,
    ]);
    let client = Client::http1(server.address);
    let get = async |headers: &[(&str, &str)]| {
        let answer = client.send(Method::GET, "/proxy/x", headers, None).await;
        assert_eq!(answer.status, 204);
        answer.header("x-request-id").to_owned()
    };
    let parent = |flags: &str| format!("00-{TRACE}-{CALLER}-{flags}");
    let state = [("tracestate", "a=1"), ("tracestate", "b=2")];

    // Not to be recorded, though the others are.
    let unsampled = parent("00");
    get(&[&[("traceparent", unsampled.as_str())], &state[..]].concat()).await;
    let sampled = parent("01");
    let named = [("traceparent", sampled.as_str()), ("x-request-id", "mine")];
    get(&[&named[..], &state[..]].concat()).await;
    let own = get(&[]).await;
    let wrong = [
        ("traceparent", "00-it-is-wrong"),
        ("x-request-id", "not fit"),
    ];
    let other = get(&[&wrong[..], &state[..]].concat()).await;
    let random = parent("03");
    get(&[("traceparent", &random)]).await;

    let heads = upstream.join().unwrap();
    let mut recorded = Vec::new();
    while recorded.len() < 4 {
        recorded.extend(spans(&export(&collector)).clone());
    }
    assert_eq!(recorded.len(), 4, "{recorded:?}");
    let told = |head: &str, span: &Value, flags: &str| {
        let id = |name: &str| span[name].as_str().unwrap().to_owned();
        let expected = format!("00-{}-{}-{flags}", id("traceId"), id("spanId"));
        assert_eq!(values(head, "traceparent"), [expected], "{head}");
    };

    assert_eq!(values(&heads[0], "traceparent"), [unsampled]);
    assert_eq!(values(&heads[0], "tracestate"), ["a=1", "b=2"]);

    told(&heads[1], &recorded[0], "01");
    assert_eq!(recorded[0]["traceId"], TRACE);
    assert_eq!(recorded[0]["parentSpanId"], CALLER);
    assert_eq!(values(&heads[1], "tracestate"), ["a=1", "b=2"]);
    assert_eq!(values(&heads[1], "x-request-id"), ["mine"]);

    told(&heads[2], &recorded[1], "01");
    assert_eq!(recorded[1]["parentSpanId"], "");
    assert_eq!(values(&heads[2], "x-request-id"), [own]);

    told(&heads[3], &recorded[2], "01");
    assert_ne!(recorded[2]["traceId"], recorded[1]["traceId"]);
    assert_eq!(values(&heads[3], "tracestate"), [""; 0], "of another trace");
    assert_eq!(values(&heads[3], "x-request-id"), [other]);

    told(&heads[4], &recorded[3], "03");
}

#[tokio::test]
async fn who_has_no_collector_passes_traces_on() {
    let (address, upstream) = upstream(1);
    let server = Server::start(&["--proxy-upstream", &address]);
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", parent.as_str()), ("tracestate", "a=1")];
    Client::http1(server.address)
        .send(Method::GET, "/proxy/x", &headers, None)
        .await;
    let [head] = &upstream.join().unwrap()[..] else {
        panic!("it was one request")
    };
    assert_eq!(values(head, "traceparent"), [parent]);
    assert_eq!(values(head, "tracestate"), ["a=1"]);
}

#[test]
fn the_span_of_a_request_that_nobody_waits_for_is_ended() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(&[
        "--otlp-collector",
        &collector.local_addr().unwrap().to_string(),
        "--proxy-upstream",
        &upstream.local_addr().unwrap().to_string(),
        "--half-closed",
        "cancel",
    ]);
    let mut client = TcpStream::connect(server.address).unwrap();
    let request = "GET /proxy/x HTTP/1.1\r\nHost: x\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    let (_held, _) = upstream.accept().unwrap();
    drop(client);
    let exported = export(&collector);
    let [span] = &spans(&exported)[..] else {
        panic!("{exported}")
    };
    assert_eq!(span["name"], "GET /proxy/{*path}");
    assert_eq!(attribute(span, "http.response.status_code"), None);
    let error = attribute(span, "error.type").unwrap();
    assert_eq!(error, "aborted_head");
    assert_eq!(span["status"]["code"], 0, "the server made no error");
}

#[tokio::test]
async fn more_spans_than_a_collector_takes_are_dropped_and_counted() {
    const REQUESTS: usize = 12_000;
    const QUEUE: usize = 8192;
    const BATCH: usize = 1024;
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    collector.set_nonblocking(true).unwrap();
    let address = collector.local_addr().unwrap().to_string();
    let server = Server::start(&["--otlp-collector", &address]);
    // Nobody answers at the collector, and everybody here is.
    let mut client = TcpStream::connect(server.address).unwrap();
    let each = 100;
    for _ in 0..REQUESTS / each {
        let requests = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n".repeat(each);
        client.write_all(requests.as_bytes()).unwrap();
        let mut reader = BufReader::new(&client);
        let mut read = Vec::new();
        for _ in 0..each {
            reader.read_until(b'!', &mut read).unwrap();
        }
        assert!(read.ends_with(b"Hello, World!"));
    }
    let admin = Client::http1(server.admin());
    let figure = async |name: &str| -> usize {
        let metrics = admin.get("/metrics").await.body;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.expect("it is exposed").trim().parse().unwrap()
    };
    let dropped = figure("server_spans_dropped_total ").await;
    let mut waiting = Vec::new();
    let accept = |waiting: &mut Vec<TcpStream>| match collector.accept() {
        Ok((stream, _)) => {
            stream.set_nonblocking(false).unwrap();
            waiting.push(stream);
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    };
    while accept(&mut waiting) {}
    // One more may be gathered.
    let taken = QUEUE + BATCH * (waiting.len() + 1);
    assert!(dropped >= REQUESTS.saturating_sub(taken), "{dropped}");
    let exported = until("every span sent or dropped", async || {
        for stream in waiting.drain(..) {
            // Who has waited for too long is gone.
            if let Some(exported) = take(stream) {
                assert!(spans(&exported).len() <= BATCH);
            }
        }
        accept(&mut waiting);
        let exported = figure("server_spans_exported_total ").await;
        let dropped = figure("server_spans_dropped_total ").await;
        match exported + dropped == REQUESTS {
            true => Ok(exported),
            false => Err(format!("{exported} sent, {dropped} dropped")),
        }
    })
    .await;
    assert!(exported > 0);
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
