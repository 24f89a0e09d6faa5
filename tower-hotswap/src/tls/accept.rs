//! One handshake.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::{
    LazyConfigAcceptor,
    rustls::{HandshakeKind, ProtocolVersion, server::Acceptor},
};

use super::{HotTls, HotTlsStream, early::EarlyStream};

impl HotTls {
    /// Makes the handshake with the client of a stream. If early data is accepted, this ends before the handshake does, which
    /// goes on when the stream is read and fails if it takes ten seconds more.
    ///
    /// # Errors
    /// Those of the stream, and of rustls as [`io::ErrorKind::InvalidData`].
    ///
    /// # Cancellation
    /// Dropping the future closes the stream. Until it ends there is no time limit.
    pub async fn accept<IO>(&self, stream: IO) -> io::Result<HotTlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.accept_until(stream, None).await
    }

    /// The same, where what goes on later has to end by the deadline in place of those ten seconds.
    pub(super) async fn accept_until<IO>(
        &self,
        stream: IO,
        deadline: Option<Instant>,
    ) -> io::Result<HotTlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = self.config(&start.client_hello());
        if config.max_early_data_size > 0 {
            let stream = EarlyStream::accept(start, config, deadline).await?;
            return Ok(HotTlsStream::early(stream));
        }
        let stream = start.into_stream(config).await?;
        Ok(HotTlsStream::established(stream))
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
    /// Whether early data was accepted, so that the first request may have come before the handshake had ended.
    pub is_early: bool,
}

impl HandshakeInfo {
    /// That of a stream.
    #[must_use]
    pub fn of<IO>(stream: &HotTlsStream<IO>) -> Self {
        let (_, connection) = stream.get_ref();
        Self {
            protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
            server_name: connection.server_name().map(str::to_owned),
            is_tls13: connection.protocol_version() == Some(ProtocolVersion::TLSv1_3),
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            is_early: stream.is_early(),
        }
    }
}
