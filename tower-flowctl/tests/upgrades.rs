//! WebSocket over HTTP/2 (RFC 8441) and CONNECT go through, beside responses that are scheduled.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

mod raw;

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper_util::rt::TokioIo;
use raw::{Block, Frame, Peer, Server, kind};
use tower_flowctl::serve::Exec;

/// Sends back whatever comes.
async fn echo(request: Request) -> Response {
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    Response::new(Body::empty())
}

fn connect(protocol: Option<&str>) -> Block {
    let block = Block::new()
        .field(":method", "CONNECT")
        .field(":authority", "test:80");
    match protocol {
        Some(protocol) => block
            .field(":protocol", protocol)
            .field(":scheme", "https")
            .field(":path", "/chat"),
        None => block,
    }
}

fn bytes(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

#[tokio::test(start_paused = true)]
async fn bytes_go_both_ways_beside_a_large_response() {
    for server in [
        Server::Layered,
        Server::Flowctl(Exec::Local),
        Server::Budgeted,
    ] {
        for protocol in [Some("websocket"), None] {
            let app: Router = raw::app().fallback(echo);
            let dial = server.start(app);
            let mut peer = Peer::new(dial.connect_at(2_500_000)).await;
            let settings = peer.expect(kind::SETTINGS).await;
            let entries = settings.payload.chunks(6);
            let connect_protocol = entries.filter(|entry| entry[..2] == [0, 8]);
            assert_eq!(connect_protocol.count(), 1, "{server:?}");
            peer.get(1, "/bytes/1000000", &[]).await;
            let open = Frame::headers(3, connect(protocol));
            peer.send(&bytes(open)).await;
            for n in 0..20 {
                let said = format!("message {n}");
                peer.send(&bytes(Frame::data(3, said.as_bytes()))).await;
                let mut heard = Vec::new();
                while heard.len() < said.len() {
                    let frame = peer.expect(kind::DATA).await;
                    if frame.stream == 3 {
                        heard.extend(frame.payload);
                    }
                }
                assert_eq!(heard, said.as_bytes(), "{server:?} {protocol:?}");
            }
            peer.finish(&[1]).await;
            // More than any window to begin with, one piece after the other.
            for n in 0..40u8 {
                peer.send(&bytes(Frame::data(3, [n; 10_000]))).await;
                let mut heard = Vec::new();
                while heard.len() < 10_000 {
                    heard.extend(peer.expect(kind::DATA).await.payload);
                }
                assert_eq!(heard, [n; 10_000], "{server:?} {protocol:?}");
            }
        }
    }
}
