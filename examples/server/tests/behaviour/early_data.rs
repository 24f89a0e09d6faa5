//! Early data (0-RTT): what a returning client asks for before the TLS handshake has ended.
//!
//! The client here sends only what a test has it send, so that the handshake is under way as long as the test wants.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore};

use crate::client::Client;
use crate::process::Server;
use crate::tls::write_identity;

/// A server with a certificate that clients know.
fn serve(folder: &Path, arguments: &[&str]) -> (Server, CertificateDer<'static>) {
    let (root, chain, key) = write_identity(folder, "early");
    let identity = ["--tls-certificate", &chain, "--tls-key", &key];
    (Server::start(&[&identity, arguments].concat()), root)
}

/// A client that remembers its sessions and sends early data by them.
fn client(root: &CertificateDer<'static>, protocol: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    config.enable_early_data = true;
    Arc::new(config)
}

/// A connection that sends only when it is told to.
struct Connection {
    tls: ClientConnection,
    socket: TcpStream,
    plain: Vec<u8>,
}

impl Connection {
    fn open(server: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Connection {
            tls: ClientConnection::new(config.clone(), name).unwrap(),
            socket: TcpStream::connect(server).unwrap(),
            plain: Vec::new(),
        }
    }

    /// Visits without early data, which leaves a session that the next connection can send some by.
    fn visit(server: SocketAddr, config: &Arc<ClientConfig>, request: &[u8]) {
        let mut connection = Connection::open(server, config);
        connection.handshake();
        // Tickets come after the handshake (RFC 8446 §4.6.1), before the answer.
        connection.say(request);
        connection.until("Hello, World!");
    }

    /// Sends a ClientHello and this with it, and nothing else.
    fn come_back(server: SocketAddr, config: &Arc<ClientConfig>, early: &[u8]) -> Self {
        let mut connection = Connection::open(server, config);
        let mut writer = connection.tls.early_data().expect("a session for it");
        writer.write_all(early).unwrap();
        connection.send();
        connection
    }

    fn send(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).unwrap();
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.tls.writer().write_all(bytes).unwrap();
        self.send();
    }

    fn handshake(&mut self) {
        while self.tls.is_handshaking() {
            self.send();
            assert!(self.receive());
        }
        self.send();
    }

    /// Reads once; false at the end.
    fn receive(&mut self) -> bool {
        let read = self.tls.read_tls(&mut self.socket).unwrap();
        let state = self.tls.process_new_packets().unwrap();
        let from = self.plain.len();
        self.plain.resize(from + state.plaintext_bytes_to_read(), 0);
        if state.plaintext_bytes_to_read() > 0 {
            self.tls
                .reader()
                .read_exact(&mut self.plain[from..])
                .unwrap();
        }
        read > 0
    }

    /// Receives, without sending anything, until these bytes came, and takes everything up to them.
    fn until(&mut self, end: impl AsRef<[u8]>) -> String {
        let end = end.as_ref();
        let mut seen = 0;
        loop {
            let mut fresh = self.plain[seen..].windows(end.len());
            if let Some(at) = fresh.position(|bytes| bytes == end) {
                let rest = self.plain.split_off(seen + at + end.len());
                let taken = std::mem::replace(&mut self.plain, rest);
                return String::from_utf8_lossy(&taken).into_owned();
            }
            seen = self.plain.len().saturating_sub(end.len() - 1);
            let more = self.receive();
            assert!(more, "{:?}", String::from_utf8_lossy(&self.plain));
        }
    }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into()
}

fn post_author(name: &str) -> Vec<u8> {
    let body = format!("{{\"name\": {name:?}}}");
    format!(
        "POST /api/v1/authors HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

#[test]
fn only_who_asks_for_early_data_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let (server, root) = serve(folder.path(), &[]);
    let config = client(&root, "http/1.1");
    Connection::visit(server.tls(), &config, &get("/hello"));
    let mut next = Connection::open(server.tls(), &config);
    assert!(next.tls.early_data().is_none());
    next.handshake();
    assert_eq!(next.tls.handshake_kind(), Some(HandshakeKind::Resumed));
}

#[test]
fn safe_requests_are_answered_before_the_handshake_ends() {
    for mode in ["multi-thread", "thread-per-core"] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--tls-early-data", "16KiB", "--run-mode", mode];
        let (server, root) = serve(folder.path(), &arguments);
        let config = client(&root, "http/1.1");
        // A file as well, which is more than all buffers on the way hold.
        for (path, length) in [("/hello", 13), ("/site/sample.bin", 4 << 20)] {
            Connection::visit(server.tls(), &config, &get("/hello"));
            let mut client = Connection::come_back(server.tls(), &config, &get(path));
            let head = client.until("\r\n\r\n");
            assert!(head.starts_with("HTTP/1.1 200 "), "{mode}, {path}: {head}");
            assert!(client.tls.is_early_data_accepted());
            while client.plain.len() < length {
                assert!(client.receive(), "{mode}, {path}");
            }
            client.plain.clear();
            // The connection is like any other from then on.
            client.handshake();
            client.say(&get("/hello"));
            client.until("Hello, World!");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let (server, root) = serve(folder.path(), &["--tls-early-data", "16KiB"]);
    let config = client(&root, "http/1.1");
    let upgrade =
        b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for refused in [post_author("Too Early"), upgrade.to_vec()] {
        Connection::visit(server.tls(), &config, &get("/hello"));
        let mut client = Connection::come_back(server.tls(), &config, &refused);
        let answer = client.until("}");
        assert!(answer.starts_with("HTTP/1.1 425 Too Early\r\n"), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains("send it again"), "{answer}");
        // As RFC 8470 §5.2 has it, once the handshake has ended.
        client.handshake();
        client.say(&refused);
        let answer = client.until("\r\n\r\n");
        let wanted = ["HTTP/1.1 201 ", "HTTP/1.1 101 "];
        let done = wanted.iter().any(|wanted| answer.starts_with(wanted));
        assert!(done, "{answer}");
    }
    let plain = Client::http1(server.address);
    let found = plain.get("/api/v1/search?q=Too%20Early").await.body;
    assert_eq!(found.matches("Too Early\"").count(), 1, "{found}");
    let metrics = Client::http1(server.admin()).get("/metrics").await.body;
    let counted = "server_requests_total{route=\"unmatched\",status=\"4xx\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
}

/// Settings that go without early data are in force at the next start; until then it comes, and is guarded.
#[cfg(unix)]
#[test]
fn others_are_told_so_whatever_the_settings_have_become() {
    let folder = tempfile::tempdir().unwrap();
    let (root, chain, key) = write_identity(folder.path(), "early");
    let identity = format!("tls-certificate = {chain:?}\ntls-key = {key:?}\n");
    let early = format!("{identity}tls-early-data = \"16KiB\"\n");
    let server = crate::reload::Reloadable::start(&early);
    server.reload(&format!("{identity}security-headers = false\n"));
    let server = &server.server;
    let config = client(&root, "http/1.1");
    Connection::visit(server.tls(), &config, &get("/hello"));
    let mut client = Connection::come_back(server.tls(), &config, &post_author("Too Early"));
    let answer = client.until("}");
    assert!(answer.starts_with("HTTP/1.1 425 Too Early\r\n"), "{answer}");
}

#[test]
fn http2_is_answered_before_the_handshake_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (server, root) = serve(folder.path(), &["--tls-early-data", "16KiB"]);
    let config = client(&root, "h2");
    // The preface, empty SETTINGS, and a request: `:method`, `:scheme: https`, `:path: /hello`, `:authority: localhost`.
    let visit = |method: u8| {
        let head = [
            &[method, 0x87, 0x44, 6][..],
            b"/hello",
            &[0x41, 9],
            b"localhost",
        ]
        .concat();
        let frame = [0, 0, head.len() as u8, 1, 5, 0, 0, 0, 1];
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        [&preface[..], &frame, &head].concat()
    };
    let (get, post) = (visit(0x82), visit(0x83));
    for (early, end) in [(&get, "Hello, World!"), (&post, "send it again")] {
        Connection::visit(server.tls(), &config, &get);
        let mut client = Connection::come_back(server.tls(), &config, early);
        client.until(end);
        assert!(client.tls.is_early_data_accepted());
    }
}

/// A connection whose handshake does not end is idle like any other.
#[test]
fn who_never_ends_the_handshake_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--tls-early-data", "16KiB", "--idle-timeout", "1s"];
    let (server, root) = serve(folder.path(), &arguments);
    let config = client(&root, "http/1.1");
    Connection::visit(server.tls(), &config, &get("/hello"));
    let mut client = Connection::come_back(server.tls(), &config, &get("/hello"));
    client.until("Hello, World!");
    // The end of the stream, or a reset.
    let mut rest = Vec::new();
    let _ = client.socket.read_to_end(&mut rest);
}

/// RFC 8470 §5.1: a proxy in front says what came early.
#[tokio::test]
async fn what_a_proxy_took_early_is_refused_likewise() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = serve(folder.path(), &["--tls-early-data", "16KiB"]);
    let client = Client::http1(server.address);
    let early = [("early-data", "1")];
    let body = serde_json::json!({"name": "Too Early"});
    let refused = client.send(http::Method::POST, "/api/v1/authors", &early, Some(body));
    refused.await.problem(425);
    let safe = client.send(http::Method::GET, "/hello", &early, None).await;
    assert_eq!(safe.status, 200);
}
