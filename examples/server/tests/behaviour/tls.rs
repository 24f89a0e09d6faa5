//! The TLS port, with the certificate made at the start and with the operator's.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::process::Server;

/// What a client that trusts `root` finds: the protocol chosen and a page.
pub(crate) async fn get(
    server: SocketAddr,
    root: &CertificateDer<'static>,
    alpn: &[u8],
    path: &str,
) -> Result<(Version, String), Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(server).await?;
    let name = ServerName::try_from("localhost")?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
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
    assert!(text.contains("cannot be used together"), "{text}");
}
