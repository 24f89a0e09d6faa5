//! Requests that are sent without waiting for answers, and clients that send no more.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::process::Server;

/// What a client reads that sends requests for these paths at once, and closes its side for sending.
fn exchange(server: &Server, requests: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    answers
}

/// Answers and files of all sizes come in order and whole, whichever of them are put together on the way.
#[test]
fn pipelined_answers_come_in_order() {
    let server = Server::start(&[]);
    let paths = [
        "/hello/a",
        "/site/sample.bin",
        "/hello/b",
        "/hello/c",
        "/site/",
        "/hello/d",
    ];
    let mut requests = String::new();
    for round in 0..3 {
        for (index, path) in paths.iter().enumerate() {
            let last = round == 2 && index == paths.len() - 1;
            let end = if last { "Connection: close\r\n" } else { "" };
            requests.push_str(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n{end}\r\n"));
        }
    }
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    let mut rest = &answers[..];
    let mut bodies = Vec::new();
    while !rest.is_empty() {
        let end = rest
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        let head = String::from_utf8_lossy(&rest[..end]).to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().parse().unwrap();
        bodies.push(&rest[end..end + length]);
        rest = &rest[end + length..];
    }
    assert_eq!(bodies.len(), 3 * paths.len());
    for round in bodies.chunks(paths.len()) {
        assert_eq!(round, &bodies[..paths.len()]);
        for (body, name) in [
            (round[0], 'a'),
            (round[2], 'b'),
            (round[3], 'c'),
            (round[5], 'd'),
        ] {
            let text = String::from_utf8_lossy(body);
            assert!(text.contains(name), "{text}");
        }
        assert_eq!(round[1].len(), 4 << 20);
    }
}

#[test]
fn a_client_that_sends_no_more_is_answered() {
    let server = Server::start(&[]);
    // One that is ready at once, and one that has to wait for a connection of the proxy's.
    for path in ["/hello", "/proxy/hello"] {
        let answer = exchange(&server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n"),
            "{path}: {answer}"
        );
    }
    // Whoever is gone is worth no work, if it is said so: the proxy's request is the one that waits.
    let server = Server::start(&["--half-closed", "cancel"]);
    let answer = exchange(&server, "GET /proxy/hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(String::from_utf8_lossy(&answer), "");
}
