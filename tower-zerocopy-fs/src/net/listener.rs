//! The listener for `axum::serve`.

use std::{io, sync::Arc};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

use super::stream::{ZeroCopyConfig, ZeroCopyStream};
use crate::metrics::Metrics;

/// A listener whose connections are [`ZeroCopyStream`]s.
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// use tower_zerocopy_fs::{ServeFiles, ZeroCopyListener};
///
/// let app = axum::Router::new().fallback_service(ServeFiles::new("public"));
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// axum::serve(ZeroCopyListener::new(listener), app).await
/// # }
/// ```
///
/// # Among other listeners
/// It wraps any listener of [`TcpStream`]s and belongs next to it: admission control, TLS, and taps of frames go around it,
/// in any order among themselves. They see every byte that is written. As long as a wrapper forwards
/// `poll_write_vectored` and `is_write_vectored` the kernel sends the files; under one that does not, and under TLS, they
/// are written.
///
/// ```text
/// TcpListener ─► ZeroCopyListener ─► admission ─► TLS ─► frame tap ─► axum::serve
/// ```
///
/// # `ConnectInfo`
/// axum implements `Connected` for its own listeners and for any listener wrapped by
/// [`tap_io`](axum::serve::ListenerExt::tap_io). So an empty tap is all it takes:
///
/// ```no_run
/// # async fn run(app: axum::Router) -> std::io::Result<()> {
/// use axum::serve::ListenerExt;
/// use tower_zerocopy_fs::ZeroCopyListener;
///
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// let listener = ZeroCopyListener::new(listener).tap_io(|_| {});
/// let app = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
/// axum::serve(listener, app).await
/// # }
/// ```
#[derive(Debug)]
pub struct ZeroCopyListener<L = TcpListener> {
    inner: L,
    config: ZeroCopyConfig,
}

impl<L> ZeroCopyListener<L> {
    /// Wraps a listener of TCP streams.
    pub fn new(inner: L) -> Self {
        Self {
            inner,
            config: ZeroCopyConfig::default(),
        }
    }

    /// Counts what the connections send.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.config.metrics = Some(metrics);
        self
    }

    /// Limits each connection to so many bytes a second, with bursts of a quarter of a second. 0 counts as 1.
    #[must_use]
    pub fn bytes_per_second(mut self, limit: u64) -> Self {
        self.config.bytes_per_second = Some(limit);
        self
    }

    /// The wrapped listener.
    pub fn get_ref(&self) -> &L {
        &self.inner
    }
}

impl<L: Listener<Io = TcpStream>> Listener for ZeroCopyListener<L> {
    type Io = ZeroCopyStream;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (socket, address) = self.inner.accept().await;
        (ZeroCopyStream::with_config(socket, &self.config), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}
