//! Every kind of connection, with a server and a client for it.

use std::{io::Write, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http_body_util::BodyExt;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tower_http::{
    compression::{CompressionLayer, CompressionLevel, predicate::SizeAbove},
    map_response_body::MapResponseBodyLayer,
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tower_zerocopy_fs::{Metrics, ServeFiles, ZeroCopyConfig, ZeroCopyStream};

use super::{request, serve, serve_plain, tls};

/// How a response gets from the service to the client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// HTTP/1.1 kept alive, by `axum::serve` with the listener.
    Listener,
    /// HTTP/1.0 kept alive.
    Http10,
    /// A client that takes small sips through a small receive buffer.
    SlowReader,
    /// Under layers that leave the body alone.
    Layers,
    /// By hyper without axum.
    Hyper,
    /// By hyper when it copies all bodies into one buffer.
    PipelineFlush,
    /// By `axum::serve` with tokio's listener.
    Plain,
    /// HTTP/2 in the clear.
    Http2,
    /// HTTP/1.1 over TLS by rustls, above the adapter.
    Tls,
    /// Under a layer that compresses whole responses for a client that asks for it.
    Compression,
}

impl Way {
    pub const ALL: [Self; 10] = [
        Self::Listener,
        Self::Http10,
        Self::SlowReader,
        Self::Layers,
        Self::Hyper,
        Self::PipelineFlush,
        Self::Plain,
        Self::Http2,
        Self::Tls,
        Self::Compression,
    ];

    /// True if the kernel can send files here.
    pub fn sends_files(self, range: Option<(u64, u64)>) -> bool {
        match self {
            Self::Listener | Self::Http10 | Self::SlowReader | Self::Layers | Self::Hyper => true,
            Self::PipelineFlush | Self::Plain | Self::Http2 | Self::Tls => false,
            // A coded range would be one of other bytes.
            Self::Compression => range.is_some(),
        }
    }

    /// Starts a server of `files` and connects to it.
    pub async fn open(self, files: ServeFiles, metrics: &Arc<Metrics>) -> Client {
        let app = Router::new().fallback_service(files.clone());
        let address = match self {
            Self::Listener | Self::Http10 | Self::SlowReader | Self::Http2 => {
                serve(app, metrics).await
            }
            Self::Plain => serve_plain(app).await,
            Self::Hyper | Self::PipelineFlush | Self::Tls => {
                return self.open_hyper(files, metrics).await;
            }
            Self::Layers => {
                let status = http::StatusCode::REQUEST_TIMEOUT;
                let app = app
                    .layer(TraceLayer::new_for_http())
                    .layer(TimeoutLayer::with_status_code(
                        status,
                        Duration::from_secs(600),
                    ))
                    .layer(MapResponseBodyLayer::new(|body: Body| {
                        Body::new(body.map_frame(|frame| frame))
                    }))
                    .layer(CompressionLayer::new());
                serve(app, metrics).await
            }
            Self::Compression => {
                let layer = CompressionLayer::new()
                    .quality(CompressionLevel::Fastest)
                    .compress_when(SizeAbove::new(0));
                serve(app.layer(layer), metrics).await
            }
        };
        if self != Self::Http2 {
            return Client::Http1(self, Box::new(self.connect(address).await));
        }
        let stream = TokioIo::new(self.connect(address).await);
        let (client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
                .await
                .unwrap();
        tokio::spawn(connection);
        Client::Http2(client)
    }

    async fn open_hyper(self, files: ServeFiles, metrics: &Arc<Metrics>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = hyper_util::service::TowerToHyperService::new(files);
        let mut config = ZeroCopyConfig::default();
        config.metrics = Some(Arc::clone(metrics));
        let (acceptor, connector) = tls();
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let stream = ZeroCopyStream::with_config(socket, &config);
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.pipeline_flush(self == Self::PipelineFlush);
            if self == Self::Tls {
                let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                builder.serve_connection(stream, service).await
            } else {
                builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await
            }
        });
        let stream = self.connect(address).await;
        if self != Self::Tls {
            return Client::Http1(self, Box::new(stream));
        }
        let localhost = "localhost".try_into().unwrap();
        let stream = connector.connect(localhost, stream).await.unwrap();
        Client::Http1(self, Box::new(stream))
    }

    async fn connect(self, address: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        if self == Self::SlowReader {
            socket.set_recv_buffer_size(16 * 1024).unwrap();
        }
        socket.connect(address).await.unwrap()
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub enum Client {
    Http1(Way, Box<dyn Stream>),
    Http2(SendRequest<Body>),
}

/// A response of which the body was looked at as it came.
#[derive(Debug, PartialEq)]
pub struct Received {
    pub status: u16,
    pub content_range: Option<String>,
    /// Bytes of the body, decoded where they were coded.
    pub len: u64,
    pub sha256: Vec<u8>,
}

impl Client {
    /// Asks for the first to the last byte of `path`, or for all.
    pub async fn get(&mut self, path: &str, range: Option<(u64, u64)>) -> Received {
        let range = range.map(|(first, last)| format!("bytes={first}-{last}"));
        match self {
            Self::Http1(way, stream) => get_http1(*way, stream, path, range.as_deref()).await,
            Self::Http2(client) => get_http2(client, path, range.as_deref()).await,
        }
    }
}

async fn get_http1(
    way: Way,
    stream: &mut Box<dyn Stream>,
    path: &str,
    range: Option<&str>,
) -> Received {
    let version = if way == Way::Http10 { "1.0" } else { "1.1" };
    let mut fields = vec![("connection", "keep-alive")];
    fields.extend(range.map(|range| ("range", range)));
    if way == Way::Compression {
        fields.push(("accept-encoding", "gzip"));
    }
    let request = request(version, path, &fields);
    stream.write_all(&request).await.unwrap();
    // TLS may keep what it was given while tokio has the task give way.
    stream.flush().await.unwrap();
    let head = read_line(stream, b"\r\n\r\n").await.to_ascii_lowercase();
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let sink = match field("content-encoding") {
        None => Sink::Plain(Box::default()),
        Some("gzip") => Sink::Gzip(Box::new(flate2::write::GzDecoder::new(Hash::default()))),
        Some(other) => panic!("{path}: {other}"),
    };
    let mut reader = Reader { way, stream, sink };
    match field("content-length") {
        Some(len) => reader.read(len.parse().unwrap()).await,
        None => reader.read_chunks().await,
    }
    let hash = reader.sink.finish();
    Received {
        status: head[9..12].parse().unwrap(),
        content_range: field("content-range").map(str::to_owned),
        len: hash.len,
        sha256: hash.context.finish().as_ref().to_vec(),
    }
}

async fn get_http2(client: &mut SendRequest<Body>, path: &str, range: Option<&str>) -> Received {
    let mut request = http::Request::get(format!("http://localhost{path}"));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = client.send_request(request).await.unwrap();
    let (parts, mut body) = response.into_parts();
    let mut hash = Hash::default();
    while let Some(frame) = body.frame().await {
        hash.write_all(&frame.unwrap().into_data().unwrap())
            .unwrap();
    }
    Received {
        status: parts.status.as_u16(),
        content_range: parts
            .headers
            .get("content-range")
            .map(|field| field.to_str().unwrap().to_owned()),
        len: hash.len,
        sha256: hash.context.finish().as_ref().to_vec(),
    }
}

async fn read_line(stream: &mut Box<dyn Stream>, end: &[u8]) -> String {
    let mut line = Vec::new();
    while !line.ends_with(end) {
        line.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap()
}

struct Reader<'a> {
    way: Way,
    stream: &'a mut Box<dyn Stream>,
    sink: Sink,
}

impl Reader<'_> {
    async fn read(&mut self, mut left: u64) {
        let sip = if self.way == Way::SlowReader {
            7000
        } else {
            256 * 1024
        };
        let mut buffer = vec![0; sip];
        while left > 0 {
            let wanted = left.min(sip as u64) as usize;
            let n = self.stream.read(&mut buffer[..wanted]).await.unwrap();
            assert!(n > 0, "{:?}: {left} bytes are missing", self.way);
            self.sink.write(&buffer[..n]);
            left -= n as u64;
            if self.way == Way::SlowReader {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn read_chunks(&mut self) {
        loop {
            let line = read_line(self.stream, b"\r\n").await;
            let size = u64::from_str_radix(line.trim(), 16).unwrap();
            self.read(size).await;
            assert_eq!(read_line(self.stream, b"\r\n").await, "\r\n");
            if size == 0 {
                return;
            }
        }
    }
}

/// What is done with a body.
enum Sink {
    Plain(Box<Hash>),
    Gzip(Box<flate2::write::GzDecoder<Hash>>),
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) {
        match self {
            Self::Plain(hash) => hash.write_all(bytes).unwrap(),
            Self::Gzip(decoder) => decoder.write_all(bytes).unwrap(),
        }
    }

    fn finish(self) -> Hash {
        match self {
            Self::Plain(hash) => *hash,
            Self::Gzip(decoder) => decoder.finish().unwrap(),
        }
    }
}

pub struct Hash {
    pub len: u64,
    pub context: ring::digest::Context,
}

impl Default for Hash {
    fn default() -> Self {
        Self {
            len: 0,
            context: ring::digest::Context::new(&ring::digest::SHA256),
        }
    }
}

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.len += bytes.len() as u64;
        self.context.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
