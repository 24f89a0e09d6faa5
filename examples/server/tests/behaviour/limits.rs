//! What the server does not put up with.

use std::io::{Read, Write};
use std::net::TcpStream;

use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use serde_json::json;

use crate::client::Client;
use crate::process::Server;

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
    let server = Server::start(&["--header-timeout", "2s"]);
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
                stream.read_to_string(&mut answer).unwrap();
                assert_eq!(
                    answer.contains("404 Not Found"),
                    sent.contains("nothing"),
                    "{sent:?}: {answer}"
                );
            });
        }
    });
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
