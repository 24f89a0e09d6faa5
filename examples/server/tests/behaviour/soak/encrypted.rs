//! Connections over TLS that come and go.

use std::time::Instant;

use http::{Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio_rustls::rustls::HandshakeKind;

use super::connection::{Connection, Ports, Protocol};
use super::refusals::Refusals;

/// A connection by each protocol, with some requests on it. All but the first of them resume the session of the one before.
pub(super) async fn encrypted(ports: Ports, refusals: Refusals, until: Instant) -> usize {
    let mut rounds = 0;
    let mut kind = HandshakeKind::Full;
    while Instant::now() < until {
        for (protocol, version) in [
            (Protocol::Http2, Version::HTTP_2),
            (Protocol::Http1, Version::HTTP_11),
        ] {
            let stream = ports.encrypted(protocol).await;
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
            let connection = Connection::over(stream, protocol).await;
            let mut client = Client {
                connection,
                version,
                refusals: &refusals,
            };
            client.converse().await;
            client.connection.close().await;
        }
        kind = HandshakeKind::Resumed;
        rounds += 1;
    }
    rounds
}

struct Client<'a> {
    connection: Connection,
    version: Version,
    refusals: &'a Refusals,
}

impl Client<'_> {
    /// A page, a range of a file, and a row that comes and goes.
    async fn converse(&mut self) {
        let hello = self.send(Method::GET, "/hello", None).await;
        assert_eq!((hello.0, &hello.2[..]), (200, &b"Hello, World!"[..]));
        let (status, _, part) = self.send(Method::GET, "/site/sample.bin", None).await;
        assert_eq!((status, part.len()), (206, 70_000));
        let new = json!({"name": "Encrypted"});
        let (status, path, made) = self.send(Method::POST, "/api/v1/authors", Some(new)).await;
        let made: Value = serde_json::from_slice(&made).unwrap();
        assert_eq!((status, &made["name"]), (201, &json!("Encrypted")));
        let removed = self.send(Method::DELETE, &path, None).await;
        assert_eq!(removed.0, 204);
    }

    /// The status, the location and the body of what answers.
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, String, Bytes) {
        loop {
            let mut request = Request::builder().method(method.clone()).uri(path);
            if path.starts_with("/site/") {
                request = request.header("range", "bytes=1000-70999");
            }
            if body.is_some() {
                request = request.header("content-type", "application/json");
            }
            let body = body.as_ref().map(Value::to_string).unwrap_or_default();
            let request = request.body(Full::from(body)).unwrap();
            let response = self.connection.send(request).await.unwrap();
            assert_eq!(response.version(), self.version);
            let (head, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            if self.refusals.wait(head.status, &head.headers).await {
                continue;
            }
            let location = head.headers.get("location");
            let location = location.map(|path| path.to_str().unwrap().to_owned());
            return (head.status.as_u16(), location.unwrap_or_default(), body);
        }
    }
}
