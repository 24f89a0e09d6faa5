//! The second version of the PROXY protocol on real connections.
#![cfg(all(feature = "admission", feature = "axum"))]

mod support;

use std::time::Duration;

use axum::{Router, extract::ConnectInfo, routing::get};
use support::{Client, Server};
use tokio::io::AsyncWriteExt;
use tower_flowctl::admission::{
    Admission, CountRequests, Limits, ProxyProtocol, Refusal, RemoteAddress,
};

const REQUEST: &[u8] = b"GET /ip HTTP/1.1\r\nHost: x\r\n\r\n";

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX: u8 = 0x31;

/// From 192.0.2.7:4711 to 10.0.0.1:80.
const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80];

/// Extensions: ALPN, and one of a type that nobody knows.
const EXTENSIONS: &[u8] = b"\x01\x00\x08http/1.1\xee\x00\x03abc";

fn header(version_and_command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([version_and_command, family]);
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A server that says who its client is and believes this network.
async fn server(trusted: &str, limits: Limits) -> Server {
    let admission = Admission::builder().limits(limits).build().unwrap();
    let who = |ConnectInfo(address): ConnectInfo<RemoteAddress>| async move {
        address.0.ip().to_string()
    };
    let app = Router::new().route("/ip", get(who));
    let proxy = ProxyProtocol::from_trusted([trusted.parse().unwrap()]);
    Server::start_with(admission, |listener| {
        let make = app.into_make_service_with_connect_info::<RemoteAddress>();
        let listener = listener.proxy_protocol(proxy);
        tokio::spawn(async { axum::serve(listener, CountRequests::new(make)).await });
    })
    .await
}

/// A new connection that sends this and a request.
async fn ask(server: &Server, header: &[u8]) -> Client {
    let mut client = server.connect().await;
    // A server that has no use for it may be gone before all is written.
    let _ = client.io.write_all(&[header, REQUEST].concat()).await;
    client
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    let server = server("127.0.0.0/8", Limits::none()).await;
    let mut v6 = vec![0; 36];
    v6[..16].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    let with_extensions = [&V4[..], EXTENSIONS].concat();
    let cases = [
        ("IPv4", header(PROXY, TCP4, &V4), "192.0.2.7"),
        (
            "extensions",
            header(PROXY, TCP4, &with_extensions),
            "192.0.2.7",
        ),
        ("IPv6", header(PROXY, TCP6, &v6), "2001:db8::7"),
        // The proxy's own connections, and kinds without addresses, are the proxy's.
        ("LOCAL", header(LOCAL, 0, &[]), "127.0.0.1"),
        (
            "LOCAL with addresses",
            header(LOCAL, TCP4, &V4),
            "127.0.0.1",
        ),
        (
            "LOCAL with extensions",
            header(LOCAL, 0, EXTENSIONS),
            "127.0.0.1",
        ),
        ("Unix", header(PROXY, UNIX, &[b'/'; 216]), "127.0.0.1"),
        ("unspecified", header(PROXY, 0, &[]), "127.0.0.1"),
    ];
    for (name, header, expected) in &cases {
        let mut client = ask(&server, header).await;
        let answer = client.receive().await.expect(name);
        assert_eq!((answer.status, answer.text()), (200, *expected), "{name}");
        // Keep-alive goes on without another header.
        assert_eq!(client.get("/ip").await.text(), *expected, "{name}");
    }
    let snapshot = server.admission.snapshot();
    assert_eq!(snapshot.accepted, cases.len() as u64);
    assert_eq!(snapshot.refused(Refusal::Proxy), 0);
}

#[tokio::test]
async fn a_header_in_pieces_is_waited_for() {
    let server = server("127.0.0.0/8", Limits::none()).await;
    let mut client = server.connect().await;
    client.io.set_nodelay(true).unwrap();
    for byte in header(PROXY, TCP4, &V4) {
        client.io.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(client.get("/ip").await.text(), "192.0.2.7");
}

/// A load balancer that connects beforehand must not hold up a drain, however long that may take.
#[tokio::test]
async fn a_drain_does_not_wait_for_headers() {
    let server = server("127.0.0.0/8", Limits::none()).await;
    let mut silent = server.connect().await;
    server.until(|snapshot| snapshot.open == 1).await;
    let report = server.admission.drain(Duration::MAX).await;
    assert_eq!((report.open, report.cut.len()), (0, 0));
    assert!(silent.receive().await.is_none());
}

#[tokio::test]
async fn limits_are_for_the_client_that_is_named() {
    let server = server("127.0.0.0/8", Limits::none().per_address(1)).await;
    let named = |last: u8| {
        let mut payload = V4;
        payload[3] = last;
        header(PROXY, TCP4, &payload)
    };
    let mut first = ask(&server, &named(7)).await;
    assert_eq!(first.receive().await.unwrap().text(), "192.0.2.7");
    let refused = ask(&server, &named(7)).await.receive().await.unwrap();
    assert_eq!(refused.status, 503, "by the policy of `at_limit`");
    let mut other = ask(&server, &named(8)).await;
    assert_eq!(other.receive().await.unwrap().text(), "192.0.2.8");
    assert_eq!(server.admission.snapshot().refused(Refusal::Address), 1);
}

#[tokio::test]
async fn what_is_no_header_is_reset() {
    let server = server("127.0.0.0/8", Limits::none()).await;
    let cases = [
        ("version 1 after the signature", header(0x11, TCP4, &V4)),
        ("version 3", header(0x31, TCP4, &V4)),
        ("an unknown command", header(0x22, TCP4, &V4)),
        ("too short for IPv4", header(PROXY, TCP4, &V4[..11])),
        ("too short for IPv6", header(PROXY, TCP6, &V4)),
        ("longer than is read", header(PROXY, TCP4, &[0; 5000])),
        (
            "a signature that is not whole",
            b"\r\n\r\n\0\r\nQUIT.".to_vec(),
        ),
        ("no header", Vec::new()),
    ];
    for (count, (name, header)) in (1..).zip(&cases) {
        assert!(
            ask(&server, header).await.receive().await.is_none(),
            "{name}"
        );
        let snapshot = server.admission.snapshot();
        assert_eq!(snapshot.refused(Refusal::Proxy), count, "{name}");
    }
    server.until(|snapshot| snapshot.open == 0).await;
    assert_eq!(server.admission.snapshot().accepted, 0);
    // And the next one comes in.
    let mut client = ask(&server, &header(PROXY, TCP4, &V4)).await;
    assert_eq!(client.receive().await.unwrap().text(), "192.0.2.7");
}

#[tokio::test]
async fn a_stranger_is_not_believed() {
    let server = server("10.0.0.0/8", Limits::none()).await;
    // To hyper it is the beginning of a request, and a wrong one.
    let answer = ask(&server, &header(PROXY, TCP4, &V4))
        .await
        .receive()
        .await;
    assert_eq!(answer.map(|answer| answer.status), Some(400));
    let mut client = ask(&server, b"").await;
    assert_eq!(client.receive().await.unwrap().text(), "127.0.0.1");
}
