//! Connections to an upstream, and the bodies that are read from them.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{error, fmt, io};

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_pool::{Manage, PooledObject};

pub(super) type Connection = SendRequest<Body>;
pub(super) type Pooled = PooledObject<Connection, Upstream>;

/// Makes connections to one upstream.
#[derive(Debug)]
pub(super) struct Upstream(pub(super) SocketAddr);

impl Manage<Connection> for Upstream {
    type Error = ConnectError;

    async fn create(&self) -> Result<Connection, ConnectError> {
        let stream = TcpStream::connect(self.0)
            .await
            .map_err(ConnectError::Tcp)?;
        stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Http)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an upstream connection ended");
            }
        });
        Ok(sender)
    }

    async fn validate(&self, connection: &mut Connection) -> bool {
        // Ready only when the response before was read to its end and the upstream has not closed.
        connection.ready().await.is_ok()
    }
}

/// The body of an upstream's response; it holds the connection until its end.
pub(super) struct ProxyBody {
    pub(super) body: Incoming,
    pub(super) connection: Option<Pooled>,
}

impl HttpBody for ProxyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() {
            self.connection = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why there is no connection to the upstream.
#[derive(Debug)]
pub(super) enum ConnectError {
    Tcp(io::Error),
    Http(hyper::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect to the upstream")
    }
}

impl error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            ConnectError::Tcp(source) => Some(source),
            ConnectError::Http(source) => Some(source),
        }
    }
}
