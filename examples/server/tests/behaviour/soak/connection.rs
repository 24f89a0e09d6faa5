//! Connections that a load opens and closes itself: in the clear or over TLS, by HTTP/1.1 or HTTP/2.

use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use crate::tls::connector;

/// Whatever bytes go over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Where the server listens, and a client's memory of its TLS sessions, for each protocol one.
pub(super) struct Ports {
    plain: SocketAddr,
    tls: SocketAddr,
    http1: TlsConnector,
    http2: TlsConnector,
}

impl Ports {
    pub(super) fn new(plain: SocketAddr, tls: SocketAddr, root: &CertificateDer<'static>) -> Self {
        let connector = |alpn| connector(root, alpn).expect("the certificate is one");
        Ports {
            plain,
            tls,
            http1: connector(b"http/1.1"),
            http2: connector(b"h2"),
        }
    }

    /// A connection over TLS.
    pub(super) async fn encrypted(&self, protocol: Protocol) -> TlsStream<TcpStream> {
        let (connector, alpn) = match protocol {
            Protocol::Http1 => (&self.http1, &b"http/1.1"[..]),
            Protocol::Http2 => (&self.http2, &b"h2"[..]),
        };
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connect(self.tls).await;
        let stream = connector.connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
        stream
    }

    /// A connection over either port.
    pub(super) async fn open(&self, over: Over) -> Box<dyn Stream> {
        match over {
            Over::Tcp => Box::new(connect(self.plain).await),
            Over::Tls(protocol) => Box::new(self.encrypted(protocol).await),
        }
    }
}

async fn connect(port: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(port).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    Tcp,
    /// With what is agreed on in the handshake.
    Tls(Protocol),
}

/// A client's end of a connection.
pub(super) struct Connection {
    sender: Sender,
    task: JoinHandle<hyper::Result<()>>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    pub(super) async fn over(stream: impl Stream + 'static, protocol: Protocol) -> Self {
        let io = TokioIo::new(stream);
        match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                Connection {
                    sender: Sender::Http1(sender),
                    task: tokio::spawn(connection),
                }
            }
            Protocol::Http2 => {
                let (sender, connection) =
                    http2::handshake(TokioExecutor::new(), io).await.unwrap();
                Connection {
                    sender: Sender::Http2(sender),
                    task: tokio::spawn(connection),
                }
            }
        }
    }

    /// Sends a request with a path for a URI.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                let headers = request.headers_mut();
                headers.insert("host", "localhost".parse().unwrap());
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                let whole = format!("http://localhost{}", request.uri());
                *request.uri_mut() = whole.parse().unwrap();
                sender.send_request(request).await
            }
        }
    }

    /// Ends the connection; what had been asked for was answered, so that this is in order.
    pub(super) async fn close(self) {
        drop(self.sender);
        self.task.await.unwrap().unwrap();
    }
}
