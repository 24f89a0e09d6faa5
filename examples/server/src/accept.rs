//! The sockets under admission: tower-flowctl sees each accept(2) and each byte, tower-zerocopy-fs is below it, as it
//! needs the bare socket for `sendfile(2)`.

use std::io::{self, IoSlice};
use std::net::{self, SocketAddr};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tower_flowctl::admission::{Accept, AdmittedStream, Connection, Transport};
use tower_hotswap::tls::{EarlyData, HotTlsStream};
use tower_zerocopy_fs::{Metrics, ZeroCopyConfig, ZeroCopyStream};

/// Accepts streams that can send files.
#[derive(Debug)]
pub(crate) struct FileSendingSocket {
    listener: TcpListener,
    config: ZeroCopyConfig,
}

impl FileSendingSocket {
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub(crate) fn new(socket: net::TcpListener, metrics: Arc<Metrics>) -> io::Result<Self> {
        let mut config = ZeroCopyConfig::default();
        config.metrics = Some(metrics);
        Ok(FileSendingSocket {
            listener: TcpListener::from_std(socket)?,
            config,
        })
    }
}

impl Accept for FileSendingSocket {
    type Io = FileSendingStream;
    type Address = SocketAddr;

    async fn accept(&mut self) -> io::Result<(FileSendingStream, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        // Responses are written whole; waiting for more to send would only delay them. A stream that refuses is
        // closed already, which the first read will tell.
        let _ = stream.set_nodelay(true);
        let stream = ZeroCopyStream::with_config(stream, &self.config);
        Ok((FileSendingStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A [`ZeroCopyStream`] that admission can end.
#[derive(Debug)]
pub(crate) struct FileSendingStream(ZeroCopyStream);

impl Transport for FileSendingStream {
    fn set_reset(&self) {
        self.0.get_ref().set_reset();
    }

    fn descriptor(&self) -> Option<i32> {
        self.0.get_ref().descriptor()
    }

    fn hold_unsent(&self, bytes: u32) {
        self.0.get_ref().hold_unsent(bytes);
    }
}

/// A stream over an admitted socket, however deep below.
pub(crate) trait OverSocket {
    /// The handle by which admission and the serve loop see and end it.
    fn connection(&self) -> Connection;

    /// The socket, which the HTTP/2 scheduler asks how much of what it wrote is still unsent.
    #[cfg(unix)]
    fn socket(&self) -> Option<BorrowedFd<'_>>;

    /// Lets requests through that come before the TLS handshake has ended, and tells them apart; `None` if there are none.
    fn take_early_data(&self) -> Option<EarlyData>;
}

impl OverSocket for AdmittedStream<FileSendingStream> {
    fn connection(&self) -> Connection {
        AdmittedStream::connection(self)
    }

    #[cfg(unix)]
    fn socket(&self) -> Option<BorrowedFd<'_>> {
        Some(self.get_ref().0.get_ref().as_fd())
    }

    fn take_early_data(&self) -> Option<EarlyData> {
        None
    }
}

impl<S: OverSocket> OverSocket for HotTlsStream<S> {
    fn connection(&self) -> Connection {
        self.get_ref().0.connection()
    }

    #[cfg(unix)]
    fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.get_ref().0.socket()
    }

    fn take_early_data(&self) -> Option<EarlyData> {
        HotTlsStream::take_early_data(self)
    }
}

impl AsyncRead for FileSendingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for FileSendingStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
