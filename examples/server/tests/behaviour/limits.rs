//! What the server does not put up with.

use std::io::{Read, Write};
use std::net::TcpStream;

use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use serde_json::json;

use crate::admin::event;
use crate::client::Client;
use crate::process::Server;
use crate::raw_http2;

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let server = Server::start(&["--body-limit", "1KiB"]);
    let client = Client::http1(server.address);
    let author = |length: usize| json!({"name": "x".repeat(length)});
    let declared = client.post("/api/v1/authors", author(2_000)).await;
    assert_eq!(
        declared.problem(413),
        "the body is larger than this server accepts"
    );
    // Under the limit the same field is refused for what it says.
    client
        .post("/api/v1/authors", author(500))
        .await
        .problem(422);
}

#[test]
fn a_body_of_undeclared_length_is_413_as_well() {
    let server = Server::start(&["--body-limit", "1KiB"]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    stream
        .write_all(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

/// The head of the answer to the head of a request.
fn head_for(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn a_connection_that_ends_with_an_unread_body_says_so() {
    let server = Server::start(&["--body-limit", "1KiB"]);
    let start = "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let large = [
        "Content-Length: 100000\r\n\r\n",
        "Content-Length: 2000\r\nExpect: 100-continue\r\n\r\n",
    ];
    for rest in large {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let head = head_for(&mut stream, &format!("{start}{rest}"));
        assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
    }
}

#[test]
fn a_connection_outlives_a_little_of_an_unread_body() {
    let server = Server::start(&["--body-limit", "1KiB"]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = head_for(
        &mut stream,
        "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n",
    );
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert!(!head.contains("\r\nconnection:"), "{head}");
    let (_, length) = head.split_once("\r\ncontent-length: ").unwrap();
    let length = length.split_once("\r\n").unwrap().0.parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    // The body comes after its refusal, in two parts, and then the next request.
    stream.write_all(&[b' '; 1_500]).unwrap();
    stream.write_all(&[b' '; 500]).unwrap();
    let next = head_for(
        &mut stream,
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(next.starts_with("HTTP/1.1 200 "), "{next}");
}

#[test]
fn a_body_limit_above_axums_own_default_holds() {
    let server = Server::start(&["--body-limit", "4MiB"]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let body = format!("{{\"name\": \"Ada\"{}}}", " ".repeat(3 << 20));
    let head = format!(
        "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

#[test]
fn uploads_over_http2_are_promised_what_the_budget_has() {
    for (arguments, window) in [
        (&[][..], 65_535),
        (&["--receive-budget", "8MiB"], 65_535),
        (&["--receive-budget", "off"], 1 << 20),
    ] {
        let server = Server::start(arguments);
        let promised = raw_http2::Connection::open(server.address).first_window();
        assert_eq!(promised, window, "{arguments:?}");
    }
}

#[tokio::test]
async fn an_upload_over_http2_goes_on_beyond_its_first_window() {
    for budget in ["0", "8MiB", "off"] {
        let server = Server::start(&["--receive-budget", budget, "--body-limit", "4MiB"]);
        let client = Client::http2(server.address);
        let author = json!({"name": "x".repeat(3 << 20)});
        // It was read to its end, and its field is too long.
        client.post("/api/v1/authors", author).await.problem(422);
    }
}

#[test]
fn a_request_that_does_not_arrive_is_408() {
    let server = Server::start(&["--request-timeout", "50ms"]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\n\
                Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    // hyper closes the connection after the answer, as the rest of the body is still outstanding.
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains("the request was not complete in time"),
        "{answer}"
    );
}

#[test]
fn a_head_that_does_not_arrive_ends_the_connection() {
    let server = Server::start(&["--header-timeout", "1s", "--idle-timeout", "1s"]);
    // Nothing, half an HTTP/2 preface, half a request, and the silence after a whole request.
    let cases = [
        "",
        "PRI * HTTP/2.0\r\n",
        "GET /healthz HTTP/1.1\r\nHost:",
        "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    std::thread::scope(|scope| {
        for sent in cases {
            let address = server.address;
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(sent.as_bytes()).unwrap();
                let mut answer = String::new();
                match stream.read_to_string(&mut answer) {
                    Ok(_) => {}
                    // Half a request is cut off, a connection without one is closed.
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
                }
                assert_eq!(
                    answer.contains("404 Not Found"),
                    sent.contains("nothing"),
                    "{sent:?}: {answer}"
                );
            });
        }
    });
}

#[test]
fn what_is_no_request_is_refused_and_ends_the_connection() {
    let server = Server::start(&[]);
    let post = "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let many: String = (0..200).map(|n| format!("X-{n}: a\r\n")).collect();
    let cases = [
        (
            "many fields",
            format!("GET / HTTP/1.1\r\n{many}\r\n"),
            "431",
        ),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000)),
            "414",
        ),
        (
            "two lengths",
            format!("{post}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            "400",
        ),
        (
            "no chunk",
            format!("{post}Transfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n"),
            "400",
        ),
        ("HTTP/0.9", "GET /hello\r\n\r\n".to_owned(), "400"),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".to_owned(), "400"),
    ];
    for (name, sent, status) in cases {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let found = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(found, status, "{name}: {answer}");
    }
    // Of a head that never ends no more is read than fits.
    let mut stream = TcpStream::connect(server.address).unwrap();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nX: ");
    while stream.write_all(&[b'a'; 64 << 10]).is_ok() {}
}

#[test]
fn a_request_names_one_host() {
    let server = Server::start(&[]);
    for (head, status) in [
        ("GET /hello HTTP/1.1\r\nHost: x\r\n", 200),
        ("GET /hello HTTP/1.1\r\n", 400),
        ("GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n", 400),
        ("GET http://x/hello HTTP/1.1\r\nHost: x\r\n", 200),
        ("GET /hello HTTP/1.0\r\n", 200),
        ("GET /hello HTTP/1.0\r\nHost: x\r\nHost: y\r\n", 400),
    ] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let request = format!("{head}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let found = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(found, status.to_string(), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_file_is_not_a_json_body() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let request = Request::post(format!("http://{}/api/v1/authors", server.address))
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(Full::from(vec![0_u8, 159, 146, 150]))
        .expect("the request is valid");
    client.send_raw(request).await.problem(415);
}

#[test]
fn a_client_has_its_number_of_connections_and_no_more() {
    let server = Server::start(&["--max-connections-per-address", "2"]);
    let get = |stream: &mut TcpStream| {
        stream
            .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"Hello, World!") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        String::from_utf8(answer[..12].to_vec()).unwrap()
    };
    let mut held = [(); 2].map(|()| TcpStream::connect(server.address).unwrap());
    for stream in &mut held {
        assert_eq!(get(stream), "HTTP/1.1 200");
    }
    let mut third = TcpStream::connect(server.address).unwrap();
    let mut answer = String::new();
    third.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    for stream in &mut held {
        assert_eq!(get(stream), "HTTP/1.1 200", "who is in stays");
    }
}

#[test]
fn the_admin_port_takes_no_place_of_a_client_and_is_refused_none() {
    let server = Server::start(&[
        "--max-connections-per-address",
        "1",
        "--max-connections",
        "1",
    ]);
    let status = |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        (String::from_utf8(answer.to_vec()).unwrap(), stream)
    };
    let held = [(); 3].map(|()| status(server.admin()));
    let (answer, only) = status(server.address);
    assert_eq!(answer, "HTTP/1.1 200");
    assert_eq!(status(server.address).0, "HTTP/1.1 503");
    assert_eq!(status(server.admin()).0, "HTTP/1.1 200");
    for (answer, _) in &held {
        assert_eq!(answer, "HTTP/1.1 200");
    }
    drop(only);
}

#[test]
fn a_trusted_proxy_says_who_the_client_is() {
    let server = Server::start(&["--proxy-protocol", "127.0.0.0/8", "--access-log", "common"]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let request = "PROXY TCP4 192.0.2.7 127.0.0.1 4000 80\r\n\
                   GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let line = server.logged("GET /hello");
    assert!(line.starts_with("192.0.2.7 - - "), "{line}");
}

/// How long a client takes for its body says nothing about the route, which the breaker would close to others else.
#[tokio::test]
async fn bodies_that_do_not_come_are_not_held_against_a_route() {
    let server = Server::start(&[]);
    let measured = || {
        let figures = event(server.admin(), "/figures", |name, data| {
            (name == "now").then_some(data)
        });
        let mut routes = figures["breaker"]["routes"].as_array().unwrap().iter();
        let route = routes.find(|row| row["route"] == "/api/v1/authors");
        route.map(|row| row["passed"].clone())
    };
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(measured(), None);
    let client = Client::http1(server.address);
    let whole = client.post("/api/v1/authors", json!({"name": "Ada"}));
    assert_eq!(whole.await.status, 201);
    assert_eq!(measured(), Some(json!(1)));
}
