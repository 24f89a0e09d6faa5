//! Connections that stay for a while: server-sent events and WebSockets, in the clear and over TLS.

use std::time::Instant;

use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connection::{Connection, Over, Ports, Protocol, Stream};

/// Server-sent events, of which each client takes two before it goes: by both protocols, over both ports.
pub(super) async fn events(ports: Ports, until: Instant) -> usize {
    use Protocol::{Http1, Http2};
    let mut rounds = 0;
    while Instant::now() < until {
        tokio::join!(
            two_beats(&ports, Over::Tcp, Http1),
            two_beats(&ports, Over::Tcp, Http2),
            two_beats(&ports, Over::Tls(Http1), Http1),
            two_beats(&ports, Over::Tls(Http2), Http2),
        );
        rounds += 1;
    }
    rounds
}

async fn two_beats(ports: &Ports, over: Over, protocol: Protocol) {
    let stream = ports.open(over).await;
    let mut connection = Connection::over(stream, protocol).await;
    let request = Request::get("/events").body(Full::default()).unwrap();
    let response = connection.send(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut text = String::new();
    while text.matches("\n\n").count() < 2 {
        let frame = body.frame().await.expect("it has no end").unwrap();
        text.push_str(str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    let beats = text.split_terminator("\n\n").map(|event| {
        let data = event.strip_prefix("event: beat\ndata: ");
        let data = data.unwrap_or_else(|| panic!("no beat: {event:?}"));
        let beat: Value = serde_json::from_str(data).unwrap();
        assert!(beat["in_flight"].is_i64(), "{beat}");
        beat["uptime_seconds"].as_u64().unwrap()
    });
    let beats: Vec<_> = beats.collect();
    assert!(beats.is_sorted(), "{beats:?}");
    // In the midst of a response: by HTTP/1.1 the connection ends with it.
    drop(body);
    if protocol == Protocol::Http2 {
        connection.close().await;
    }
}

/// WebSockets that are sent messages of all kinds of length. Every other one goes without a goodbye.
pub(super) async fn websockets(ports: Ports, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        tokio::join!(
            echo(&ports, Over::Tcp, rounds),
            echo(&ports, Over::Tls(Protocol::Http1), rounds + 1),
        );
        rounds += 1;
    }
    rounds
}

/// The largest that the server takes is the last.
const LENGTHS: [usize; 6] = [0, 125, 126, 4_000, 65_535, 65_536];

// What a frame begins with (RFC 6455 §5.2): the last of its message, and what it is.
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

async fn echo(ports: &Ports, over: Over, round: usize) {
    let mut stream = ports.open(over).await;
    upgrade(&mut stream).await;
    for length in LENGTHS {
        let message: Vec<_> = (0..length).map(|at| (at * 7 + round) as u8).collect();
        send(&mut stream, BINARY, &message).await;
        assert!(receive(&mut stream, BINARY).await == message, "{length}");
        send(&mut stream, PING, b"there?").await;
        assert_eq!(receive(&mut stream, PONG).await, b"there?");
    }
    if round.is_multiple_of(2) {
        return;
    }
    let done = 1000_u16.to_be_bytes();
    send(&mut stream, CLOSE, &done).await;
    assert_eq!(receive(&mut stream, CLOSE).await, done);
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).await {
        Ok(_) => {}
        // Over TLS, axum's WebSocket ends the session by closing the connection.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof),
    }
    assert!(rest.is_empty(), "{rest:?}");
}

async fn upgrade(stream: &mut dyn Stream) {
    let head = "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // The key of RFC 6455 §1.3 has the answer given there.
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
}

/// Sends a message in a frame, masked as a client's has to be.
async fn send(stream: &mut dyn Stream, kind: u8, message: &[u8]) {
    const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x91];
    let mut frame = vec![kind];
    match message.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    let masked = message.iter().zip(MASK.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    stream.write_all(&frame).await.unwrap();
    stream.flush().await.unwrap();
}

/// The message in the next frame, which must be of this kind.
async fn receive(stream: &mut dyn Stream, kind: u8) -> Vec<u8> {
    assert_eq!(stream.read_u8().await.unwrap(), kind);
    let length = match stream.read_u8().await.unwrap() {
        126 => stream.read_u16().await.unwrap().into(),
        127 => stream.read_u64().await.unwrap(),
        length => length.into(),
    };
    let mut message = vec![0; length as usize];
    stream.read_exact(&mut message).await.unwrap();
    message
}
