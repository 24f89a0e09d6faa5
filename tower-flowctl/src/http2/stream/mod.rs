//! The stream adapter between hyper and the transport.

mod corking;
mod ending;
mod reading;
mod writing;

use std::{fmt, pin::Pin, sync::Arc};

use tokio::time::Sleep;

use self::{corking::Cork, ending::End};
use super::{
    Http2Config, Reason, connection::Connection, identity, inbound::Inbound, outbound::Outbound,
    pace::Pace, socket, together::Together,
};

/// A stream that knows the HTTP/2 frames it carries.
///
/// Put it right under hyper, above TLS. A connection that turns out not to be HTTP/2 passes through it untouched.
///
/// Usually `PriorityListener` or `serve` make it. By hand, its connection and
/// the [`PriorityLayer`](super::PriorityLayer) find each other without help:
///
/// ```no_run
/// # async fn accept(app: axum::Router) -> std::io::Result<()> {
/// use hyper_util::{rt::{TokioExecutor, TokioIo}, server::conn::auto, service::TowerToHyperService};
/// use tower::Layer;
/// use tower_flowctl::http2::{Http2Config, PriorityLayer, PriorityStream};
///
/// let service = PriorityLayer::new().layer(app);
/// let config = Http2Config::default();
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// loop {
///     let (socket, _) = listener.accept().await?;
///     let io = TokioIo::new(PriorityStream::new(socket, &config));
///     let service = TowerToHyperService::new(service.clone());
///     tokio::spawn(async move {
///         auto::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
///     });
/// }
/// # }
/// ```
pub struct PriorityStream<Io> {
    io: Io,
    connection: Arc<Connection>,
    /// Whether services find the connection by its key.
    registered: bool,
    inbound: Inbound,
    /// Bytes that came and are not understood yet, the front of a frame.
    held: Vec<u8>,
    /// Bytes for hyper that could not stay where they were read, and how many of them it has.
    ready: Vec<u8>,
    given: usize,
    outbound: Outbound,
    /// Bytes for the transport that do not come from hyper as they are, and how many of them it has.
    own: Vec<u8>,
    written: usize,
    /// Whether the first SETTINGS was changed.
    introduced: bool,
    /// Of HTTP/1, whether and which responses go out together.
    together: Option<Together>,
    pace: Pace,
    mark: usize,
    cork: Cork,
    #[cfg(unix)]
    socket: socket::SocketOf<Io>,
    watch: Option<Pin<Box<Sleep>>>,
    /// What the client did that ends the connection.
    abuse: Option<Reason>,
    end: End,
    /// Tells who waits for the connection to end that it has not, upgraded or not.
    #[cfg(feature = "serve")]
    open: Option<tokio::sync::watch::Receiver<()>>,
}

impl<Io: 'static> PriorityStream<Io> {
    /// Wraps a stream. Without [`PriorityLayer`](super::PriorityLayer) around the service it only watches for abuse,
    /// and not for clients that take nothing.
    pub fn new(io: Io, config: &Http2Config) -> Self {
        let connection = Arc::new(Connection::new(config.clone()));
        identity::register(&connection);
        let mut stream = Self::with_connection(io, connection);
        stream.registered = true;
        stream
    }

    /// Wraps a stream for a service that knows the connection already.
    pub(crate) fn with_connection(io: Io, connection: Arc<Connection>) -> Self {
        let mut inbound = Inbound::default();
        if connection.keeps_windows() {
            inbound.expect_probes();
        }
        Self {
            io,
            connection,
            registered: false,
            inbound,
            held: Vec::new(),
            ready: Vec::new(),
            given: 0,
            outbound: Outbound::default(),
            own: Vec::new(),
            written: 0,
            introduced: false,
            together: None,
            pace: Pace::default(),
            mark: 0,
            cork: Cork::default(),
            #[cfg(unix)]
            socket: socket::of_tokio,
            watch: None,
            abuse: None,
            end: End::Open,
            #[cfg(feature = "serve")]
            open: None,
        }
    }
}

impl<Io> PriorityStream<Io> {
    /// Says where the socket is, for [`LowWaterMark`](super::LowWaterMark), `TCP_NODELAY`, and `TCP_CORK` within large
    /// responses. A `tokio::net::TcpStream` is found without help.
    #[cfg(unix)]
    #[must_use]
    pub fn socket(mut self, socket: fn(&Io) -> Option<std::os::fd::BorrowedFd<'_>>) -> Self {
        self.socket = socket;
        self
    }

    /// Has responses to pipelined requests of HTTP/1 go out together. For hyper only, which flushes at the end of each poll.
    #[cfg(feature = "serve")]
    #[must_use]
    pub(crate) fn together(mut self, wanted: bool) -> Self {
        self.together = wanted.then(Together::default);
        self
    }

    /// Keeps `open` until the stream is dropped, which after an upgrade is long after hyper is done with it.
    #[cfg(feature = "serve")]
    #[must_use]
    pub(crate) fn counted(mut self, open: tokio::sync::watch::Receiver<()>) -> Self {
        self.open = Some(open);
        self
    }

    /// The wrapped stream.
    pub fn get_ref(&self) -> &Io {
        &self.io
    }
}

impl<Io> Drop for PriorityStream<Io> {
    fn drop(&mut self) {
        if self.registered {
            identity::deregister(self.connection.key());
        }
    }
}

impl<Io: fmt::Debug> fmt::Debug for PriorityStream<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriorityStream")
            .field("io", &self.io)
            .field("connection", &self.connection)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

/// Buffers that have grown beyond this are given back when they are empty.
const KEPT: usize = 4 << 10;

fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    }
}
