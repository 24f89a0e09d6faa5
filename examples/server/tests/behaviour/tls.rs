//! The TLS port, with the certificate made at the start and with the operator's.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::process::Server;

pub(crate) type Failure = Box<dyn std::error::Error>;

/// A client that trusts `root` and remembers its sessions.
pub(crate) fn connector(
    root: &CertificateDer<'static>,
    alpn: &[u8],
) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn connect(
    server: SocketAddr,
    root: &CertificateDer<'static>,
    alpn: &[u8],
) -> Result<TlsStream<TcpStream>, Failure> {
    over(TcpStream::connect(server).await?, root, alpn).await
}

/// Makes the handshake on a connection.
pub(crate) async fn over(
    stream: TcpStream,
    root: &CertificateDer<'static>,
    alpn: &[u8],
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = ServerName::try_from("localhost")?;
    Ok(connector(root, alpn)?.connect(name, stream).await?)
}

/// Asks for `/hello` on an open HTTP/1.1 connection.
pub(crate) async fn request(stream: &mut TlsStream<TcpStream>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"World!") {
        answer.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(answer)
        .unwrap()
        .split("\r\n\r\n")
        .nth(1)
        .unwrap()
        .to_owned()
}

/// The protocol and the page that a client finds.
pub(crate) async fn get(
    server: SocketAddr,
    root: &CertificateDer<'static>,
    alpn: &[u8],
    path: &str,
) -> Result<(Version, String), Failure> {
    let stream = connect(server, root, alpn).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
    let request = Request::get(format!("https://localhost{path}"))
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())?;
    let io = TokioIo::new(stream);
    let response = if alpn == b"h2" {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    let version = response.version();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((version, String::from_utf8(body.to_vec())?))
}

/// A certificate for localhost and its key, written as PEM.
pub(crate) fn write_identity(
    folder: &std::path::Path,
    name: &str,
) -> (CertificateDer<'static>, String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = |kind: &str| {
        folder
            .join(format!("{name}.{kind}"))
            .to_str()
            .unwrap()
            .to_owned()
    };
    std::fs::write(path("pem"), made.cert.pem()).unwrap();
    std::fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    (made.cert.der().clone(), path("pem"), path("key"))
}

#[tokio::test]
async fn the_operators_certificate_is_served_over_both_protocols() {
    let folder = tempfile::tempdir().unwrap();
    let (root, chain, key) = write_identity(folder.path(), "first");
    let server = Server::start(&["--tls-certificate", &chain, "--tls-key", &key]);
    for (alpn, version) in [
        (&b"h2"[..], Version::HTTP_2),
        (b"http/1.1", Version::HTTP_11),
    ] {
        let (spoken, body) = get(server.tls(), &root, alpn, "/hello").await.unwrap();
        assert_eq!((spoken, body.as_str()), (version, "Hello, World!"));
    }
    let (stranger, _, _) = write_identity(folder.path(), "other");
    let refused = get(server.tls(), &stranger, b"h2", "/hello").await;
    assert!(refused.unwrap_err().to_string().contains("certificate"));
    let pem = CertificateDer::from_pem_file(&chain).unwrap();
    assert_eq!(pem, root);
}

#[test]
fn a_pair_that_does_not_fit_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (_, chain, _) = write_identity(folder.path(), "first");
    let (_, _, key) = write_identity(folder.path(), "second");
    let arguments = ["--tls-certificate", &chain, "--tls-key", &key];
    let refused = crate::process::output(&mut crate::process::program(&arguments));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot use the certificate: "), "{text}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_under_open_connections() {
    let folder = tempfile::tempdir().unwrap();
    let (first, chain, key) = write_identity(folder.path(), "used");
    let server = Server::start(&["--tls-certificate", &chain, "--tls-key", &key]);
    let mut open = connect(server.tls(), &first, b"http/1.1").await.unwrap();
    assert_eq!(request(&mut open).await, "Hello, World!");

    // A key without its certificate: what was in use goes on.
    let (_, _, stray) = write_identity(folder.path(), "stray");
    let good = std::fs::read(&key).unwrap();
    let (second, new_chain, new_key) = write_identity(folder.path(), "new");
    std::fs::copy(&new_chain, &chain).unwrap();
    std::fs::copy(&stray, &key).unwrap();
    server.signal("HUP");
    server.logged("reload refused");
    assert!(get(server.tls(), &first, b"h2", "/hello").await.is_ok());
    assert!(!good.is_empty());

    // Nobody tells the server that the pair is whole now: it looks.
    std::fs::copy(&new_key, &key).unwrap();
    server.logged("certificate in use");
    assert!(get(server.tls(), &second, b"h2", "/hello").await.is_ok());
    assert!(get(server.tls(), &first, b"h2", "/hello").await.is_err());
    assert_eq!(
        request(&mut open).await,
        "Hello, World!",
        "the connection is open still"
    );
}

#[tokio::test]
async fn two_servers_that_share_ticket_keys_resume_each_others_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let (root, chain, key) = write_identity(folder.path(), "shared");
    let keys = folder.path().join("tickets");
    std::fs::write(&keys, format!("{}\n", "0123456789abcdef".repeat(4))).unwrap();
    let arguments = [
        "--tls-certificate",
        &chain,
        "--tls-key",
        &key,
        "--tls-ticket-keys",
        keys.to_str().unwrap(),
    ];
    let (one, other) = (Server::start(&arguments), Server::start(&arguments));
    let stranger = Server::start(&arguments[..4]);
    let connector = connector(&root, b"http/1.1").unwrap();
    let mut kinds = Vec::new();
    for server in [&one, &other, &stranger] {
        let stream = TcpStream::connect(server.tls()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        // Tickets come after the handshake (RFC 8446 §4.6.1), before the answer.
        assert_eq!(request(&mut stream).await, "Hello, World!");
        kinds.push(stream.get_ref().1.handshake_kind());
    }
    use tokio_rustls::rustls::HandshakeKind::{Full, Resumed};
    assert_eq!(kinds, [Some(Full), Some(Resumed), Some(Full)]);
}
