//! One handshake.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    LazyConfigAcceptor,
    rustls::{HandshakeKind, ProtocolVersion, server::Acceptor},
    server::TlsStream,
};

use super::HotTls;

impl HotTls {
    /// Makes the handshake with the client of a stream.
    ///
    /// # Errors
    /// Those of the stream, and of rustls as [`io::ErrorKind::InvalidData`].
    ///
    /// # Cancellation
    /// Dropping the future closes the stream. There is no time limit in here.
    pub async fn accept<IO>(&self, stream: IO) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = self.config(&start.client_hello());
        start.into_stream(config).await
    }
}

/// What a handshake came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeInfo {
    /// The ALPN protocol, such as `h2`.
    pub protocol: Option<Vec<u8>>,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// Whether it is TLS 1.3.
    pub is_tls13: bool,
    /// Whether a session was resumed.
    pub is_resumed: bool,
}

impl HandshakeInfo {
    /// That of a stream.
    #[must_use]
    pub fn of<IO>(stream: &TlsStream<IO>) -> Self {
        let (_, connection) = stream.get_ref();
        Self {
            protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
            server_name: connection.server_name().map(str::to_owned),
            is_tls13: connection.protocol_version() == Some(ProtocolVersion::TLSv1_3),
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}
