//! The stream of a connection.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{rustls::ServerConnection, server::TlsStream};

use super::early::{EarlyData, EarlyStream};

/// An encrypted connection, as [`HotTls::accept`](super::HotTls::accept) makes it.
///
/// It is tokio-rustls's stream, except where [`HotTlsBuilder::early_data`](super::HotTlsBuilder::early_data) was asked
/// for, which that one does not have.
#[derive(Debug)]
pub struct HotTlsStream<IO>(Kind<IO>);

#[derive(Debug)]
enum Kind<IO> {
    Established(TlsStream<IO>),
    Early(EarlyStream<IO>),
}

impl<IO> HotTlsStream<IO> {
    pub(super) fn established(stream: TlsStream<IO>) -> Self {
        Self(Kind::Established(stream))
    }

    pub(super) fn early(stream: EarlyStream<IO>) -> Self {
        Self(Kind::Early(stream))
    }

    /// The stream below, and what rustls knows of the connection.
    #[must_use]
    pub fn get_ref(&self) -> (&IO, &ServerConnection) {
        match &self.0 {
            Kind::Established(stream) => stream.get_ref(),
            Kind::Early(stream) => stream.get_ref(),
        }
    }

    /// Lets early data through before the handshake has ended, if there is any: whoever calls this has to ask
    /// [`EarlyData::is_pending`] before doing what must not be done twice. Without this call, reading waits for the
    /// handshake's end.
    ///
    /// None if no early data was accepted on this connection.
    #[must_use]
    pub fn take_early_data(&self) -> Option<EarlyData> {
        match &self.0 {
            Kind::Established(_) => None,
            Kind::Early(stream) => stream.take_early_data(),
        }
    }

    /// Whether early data was accepted.
    pub(super) fn is_early(&self) -> bool {
        matches!(&self.0, Kind::Early(stream) if stream.is_early())
    }
}

/// The same call on either stream.
macro_rules! either {
    ($stream:expr, $call:ident($($argument:expr),*)) => {
        match &mut $stream.get_mut().0 {
            Kind::Established(stream) => Pin::new(stream).$call($($argument),*),
            Kind::Early(stream) => Pin::new(stream).$call($($argument),*),
        }
    };
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for HotTlsStream<IO> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, poll_read(cx, buf))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HotTlsStream<IO> {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write(cx, bytes))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Established(stream) => stream.is_write_vectored(),
            Kind::Early(stream) => stream.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown(cx))
    }
}
