//! The static site, and that its files leave by `sendfile` where they can.

use http::Method;

use crate::client::Client;
use crate::process::Server;

#[tokio::test]
async fn ranges_are_of_the_file() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let index = client.get("/site/").await;
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    let etag = index.header("etag").to_owned();
    let same = client
        .send(Method::GET, "/site/", &[("if-none-match", &etag)], None)
        .await;
    assert_eq!(same.status, 304);
    // Each eight bytes of the sample are their own offset, and these are valid UTF-8.
    let range = client
        .send(
            Method::GET,
            "/site/sample.bin",
            &[("range", "bytes=16-31")],
            None,
        )
        .await;
    assert_eq!(range.status, 206);
    assert_eq!(range.header("content-range"), "bytes 16-31/4194304");
    let mut want = 16_u64.to_be_bytes().to_vec();
    want.extend(24_u64.to_be_bytes());
    assert_eq!(range.body.as_bytes(), want);
    for path in ["/site/../server.toml", "/site/%2e%2e/x", "/site/nothing"] {
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn large_files_leave_by_sendfile_in_the_clear() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    let sent = |server: &Server| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream
            .write_all(b"GET /site/sample.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let body = answer.split_off(answer.len() - (4 << 20));
        for (index, chunk) in body.chunks_exact(8).enumerate() {
            assert_eq!(chunk, (index as u64 * 8).to_be_bytes(), "at {}", index * 8);
        }
        crate::admin::event(server.admin(), "/figures", |name, data| {
            (name == "now").then(|| data["files"]["sendfile_bytes"].as_u64().unwrap())
        })
    };
    let on = Server::start(&[]);
    // The content is served once before the kernel sends it from a sealed copy.
    let bytes = sent(&on).max(sent(&on));
    assert!(bytes >= 2 << 20, "{bytes} bytes by sendfile");
    let off = Server::start(&["--zero-copy", "off"]);
    assert_eq!(sent(&off).max(sent(&off)), 0);
}

/// Answers to pipelined requests are put together, and a file among them still goes past the program's memory.
#[cfg(target_os = "linux")]
#[test]
fn large_pipelined_files_leave_by_sendfile() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    const FILE: usize = 4 << 20;
    const FILES: usize = 4;
    let server = Server::start(&[]);
    let by_sendfile = || {
        crate::admin::event(server.admin(), "/figures", |name, data| {
            (name == "now").then(|| data["files"]["sendfile_bytes"].as_u64().unwrap())
        })
    };
    let exchange = |requests: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(requests.as_bytes()).unwrap();
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).unwrap();
        answers
    };
    // The content is served once before the kernel sends it from a sealed copy.
    exchange("GET /site/sample.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let before = by_sendfile();
    let two =
        "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /site/sample.bin HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = exchange(&(two.repeat(FILES) + last));
    let mut rest = &answers[..];
    for index in 0..=2 * FILES {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = rest.split_at(end.expect("the head ends") + 4);
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "answer {index}");
        let is_file = index % 2 == 1;
        let length = if is_file { FILE } else { "Hello, World!".len() };
        let (body, after) = body.split_at(length);
        if is_file {
            for (offset, chunk) in body.chunks_exact(8).enumerate() {
                let want = (offset as u64 * 8).to_be_bytes();
                assert_eq!(chunk, want, "answer {index}, at {}", offset * 8);
            }
        } else {
            assert_eq!(body, b"Hello, World!", "answer {index}");
        }
        rest = after;
    }
    assert!(rest.is_empty(), "{} bytes more", rest.len());
    let sent = by_sendfile() - before;
    let most = (FILES * FILE) as u64 * 3 / 4;
    assert!(sent >= most, "{sent} bytes by sendfile");
}
