//! The listener for `axum::serve`.

use std::io;

use axum::serve::Listener;

use super::BoundedReads;

/// A listener whose connections are [`BoundedReads`]. See the [module](super::super::reads).
///
/// ```no_run
/// # async fn run(app: axum::Router) -> std::io::Result<()> {
/// use axum::serve::ListenerExt;
/// use tower_pool::BoundedReadsListener;
///
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// // axum knows the peer's address of every listener that is tapped.
/// let listener = BoundedReadsListener::new(listener, 16 << 10).tap_io(|_| {});
/// let app = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
/// axum::serve(listener, app).await
/// # }
/// ```
#[derive(Debug)]
pub struct BoundedReadsListener<L> {
    inner: L,
    most: usize,
}

impl<L> BoundedReadsListener<L> {
    /// Bounds each read of each connection of `inner` to `most` bytes.
    pub fn new(inner: L, most: usize) -> Self {
        Self { inner, most }
    }

    /// The listener inside.
    pub fn get_ref(&self) -> &L {
        &self.inner
    }
}

impl<L: Listener> Listener for BoundedReadsListener<L> {
    type Io = BoundedReads<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = self.inner.accept().await;
        (BoundedReads::new(stream, self.most), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}
