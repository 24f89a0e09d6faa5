//! The listener for `axum::serve`.

use std::io;

use axum::serve::Listener;

use super::{Http2Config, PriorityStream};

/// A listener whose connections are [`PriorityStream`]s.
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// use tower_flowctl::http2::{PriorityLayer, PriorityListener};
///
/// let app = axum::Router::new().layer(PriorityLayer::new());
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// axum::serve(PriorityListener::new(listener), app).await
/// # }
/// ```
///
/// Over TLS it wraps the listener that does it, since it has to see the frames. For `ConnectInfo` an empty
/// [`tap_io`](axum::serve::ListenerExt::tap_io) around it is enough.
#[derive(Debug)]
pub struct PriorityListener<L: Listener> {
    inner: L,
    config: Http2Config,
    #[cfg(unix)]
    socket: super::socket::SocketOf<L::Io>,
}

impl<L: Listener> PriorityListener<L> {
    /// Wraps a listener.
    pub fn new(inner: L) -> Self {
        Self {
            inner,
            config: Http2Config::default(),
            #[cfg(unix)]
            socket: super::socket::of_tokio,
        }
    }

    /// Sets what its connections are told to do.
    #[must_use]
    pub fn config(mut self, config: Http2Config) -> Self {
        self.config = config;
        self
    }

    /// Says where the socket below a stream is, for [`LowWaterMark`](super::LowWaterMark), `TCP_NODELAY`, and `TCP_CORK` within
    /// large responses. A `tokio::net::TcpStream` is found without help.
    ///
    /// ```
    /// # type Tls = tokio::io::BufStream<tokio::net::TcpStream>;
    /// # fn wrap<L: axum::serve::Listener<Io = Tls>>(tls: L) {
    /// use std::os::fd::AsFd;
    /// use tower_flowctl::http2::PriorityListener;
    ///
    /// let listener = PriorityListener::new(tls).socket(|tls| Some(tls.get_ref().as_fd()));
    /// # drop(listener);
    /// # }
    /// ```
    #[cfg(unix)]
    #[must_use]
    pub fn socket(mut self, socket: fn(&L::Io) -> Option<std::os::fd::BorrowedFd<'_>>) -> Self {
        self.socket = socket;
        self
    }

    /// The wrapped listener.
    pub fn get_ref(&self) -> &L {
        &self.inner
    }
}

impl<L: Listener> Listener for PriorityListener<L> {
    type Io = PriorityStream<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.inner.accept().await;
        let stream = PriorityStream::new(io, &self.config);
        #[cfg(unix)]
        let stream = stream.socket(self.socket);
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}
