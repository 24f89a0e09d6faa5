//! Connections that stay: server-sent events, WebSockets; and that they end when the server does.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::client::Client;
use crate::process::Server;

#[test]
fn events_come_every_second() {
    let server = Server::start(&[]);
    let mut seconds = Vec::new();
    crate::admin::event(server.address, "/events", |name, data| {
        assert_eq!(name, "beat");
        seconds.push(data["uptime_seconds"].as_u64().unwrap());
        (seconds.len() == 2).then_some(())
    });
    assert!(seconds[1] > seconds[0], "{seconds:?}");
}

/// Opens a WebSocket by hand.
pub(crate) fn websocket(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // The key of RFC 6455 §1.3 has the answer given there.
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    stream
}

#[tokio::test]
async fn who_wants_no_websocket_is_told_what_is_missing() {
    let server = Server::start(&[]);
    let answer = Client::http1(server.address).get("/echo").await;
    let said = "this is for WebSockets alone: ";
    let detail = answer.problem(400);
    assert!(
        detail.len() > said.len() && detail.starts_with(said),
        "{detail}"
    );
}

#[test]
fn a_websocket_echoes_and_is_told_when_the_server_stops() {
    let server = Server::start(&[]);
    let mut stream = websocket(&server);
    // A text frame, masked with zeros (RFC 6455 §5.2).
    stream.write_all(b"\x81\x85\0\0\0\0hello").unwrap();
    let mut frame = [0; 7];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, b"\x81\x05hello");

    server.signal("TERM");
    let mut close = [0; 4];
    stream.read_exact(&mut close).unwrap();
    assert_eq!(close[0], 0x88, "a close frame");
    assert_eq!(close[2..], 1001_u16.to_be_bytes(), "going away");
    drop(stream);
    assert_eq!(server.wait().code(), Some(0));
}
