//! A tree of files, a server, and a client that shows every byte.
#![allow(dead_code, unreachable_pub)]

#[cfg(target_os = "linux")]
pub mod change;
#[cfg(target_os = "linux")]
pub mod ways;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::Router;
use http::{Request, Response};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::{Service, ServiceExt};
use tower_zerocopy_fs::{Metrics, ServeFiles, ZeroCopyListener};

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the date of RFC 9110's examples.
pub fn example_date() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

pub struct Tree(TempDir);

impl Tree {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, dated as [`example_date`].
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        date(&path, example_date());
        path
    }

    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

pub fn date(path: &Path, time: SystemTime) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

/// Bytes that differ at every offset of interest, so that a shifted or repeated chunk shows.
pub fn content(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(len);
    out
}

pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

/// A response with its body read.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Calls a service with a method, a path, and fields.
pub async fn call<S, B>(service: S, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer
where
    S: Service<Request<String>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let response = service
        .oneshot(request.body(String::new()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    Answer {
        status: parts.status.as_u16(),
        headers,
        body,
    }
}

pub async fn get<S, B>(service: S, path: &str, fields: &[(&str, &str)]) -> Answer
where
    S: Service<Request<String>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    call(service, "GET", path, fields).await
}

/// A service and its counters over `tree`.
pub fn counted(tree: &Tree) -> (ServeFiles, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    (
        ServeFiles::new(tree.path()).metrics(Arc::clone(&metrics)),
        metrics,
    )
}

/// `axum::serve` with the zero-copy listener.
pub async fn serve(app: Router, metrics: &Arc<Metrics>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = ZeroCopyListener::new(listener).metrics(Arc::clone(metrics));
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// `axum::serve` with the plain listener.
pub async fn serve_plain(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// A request as it goes over the wire.
pub fn request(version: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("GET {path} HTTP/{version}\r\nhost: localhost\r\n");
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Reads one response of HTTP/1: its body by `Content-Length`, by chunks, or to the end.
///
/// A body that ends early is an `UnexpectedEof`.
pub async fn read_response<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let status: u16 = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut body).await?;
    } else if headers
        .get("transfer-encoding")
        .is_some_and(|v| v == "chunked")
    {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(stream.read_u8().await?);
            }
            let size =
                usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            let start = body.len();
            body.resize(start + size, 0);
            stream.read_exact(&mut body[start..]).await?;
            let mut end = [0; 2];
            stream.read_exact(&mut end).await?;
            if size == 0 {
                break;
            }
        }
    } else if !matches!(status, 204 | 304) {
        stream.read_to_end(&mut body).await?;
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// One request on a connection of its own.
pub async fn fetch(address: SocketAddr, path: &str, fields: &[(&str, &str)]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request("1.1", path, fields)).await?;
    read_response(&mut stream).await
}

/// As [`fetch`], and then fetches `small` by the same connection: once that has come, everything about the first
/// response has been counted too.
pub async fn fetch_and_settle(
    address: SocketAddr,
    path: &str,
    fields: &[(&str, &str)],
    small: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request("1.1", path, fields)).await?;
    let answer = read_response(&mut stream).await?;
    stream.write_all(&request("1.1", small, &[])).await?;
    read_response(&mut stream).await?;
    Ok(answer)
}

/// Both ends of TLS for `localhost`.
pub fn tls() -> (tokio_rustls::TlsAcceptor, tokio_rustls::TlsConnector) {
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer,
    };
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client).into())
}
