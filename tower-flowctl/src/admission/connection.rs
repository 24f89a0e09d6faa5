use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use super::{ConnectionState, Cut, Shared, clock};

/// A handle to an admitted connection: what it is at, and how to end it.
///
/// A handler gets it as `ConnectInfo<Connection>` (feature `axum`). It does not keep the connection open.
#[derive(Clone)]
pub struct Connection(pub(crate) Arc<Shared>);

impl Connection {
    /// What it is at.
    pub fn state(&self) -> ConnectionState {
        self.0.state()
    }

    /// The client's address, behind a trusted proxy the one the proxy names.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.ip
    }

    /// The name of its class.
    pub fn class(&self) -> &'static str {
        self.0.core.classes[self.0.class].class.name()
    }

    /// How long it has been open, to a tenth of a second.
    pub fn age(&self) -> Duration {
        clock::duration(self.0.core.clock.now().saturating_sub(self.0.accepted()))
    }

    /// How long nothing went in or out, to a tenth of a second.
    pub fn silent(&self) -> Duration {
        clock::duration(self.0.core.clock.now().saturating_sub(self.0.last()))
    }

    /// Requests that are being answered.
    pub fn in_flight(&self) -> u32 {
        self.0.in_flight()
    }

    /// Requests so far.
    pub fn requests(&self) -> u32 {
        self.0.requests()
    }

    /// Bytes received and sent.
    pub fn bytes(&self) -> (u64, u64) {
        (self.0.read(), self.0.written())
    }

    /// Asks for a graceful end: at once if it is idle, else when its requests are answered, the last HTTP/1 response
    /// with `Connection: close`.
    pub fn close(&self) {
        self.0.close(Cut::Asked);
    }

    /// Ends it now, with a reset.
    pub fn reset(&self) {
        self.0.reset(Cut::Asked);
    }

    /// Whether a graceful end was asked for.
    pub fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    /// Waits until a graceful end is asked for. A serve loop of one's own awaits it beside the connection and then calls
    /// hyper's `graceful_shutdown`, which for HTTP/2 is a GOAWAY; the stream then leaves the end to it. With
    /// `tower_flowctl::serve` (feature `serve`):
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "axum", feature = "serve"))]
    /// # async fn run(admission: tower_flowctl::admission::Admission, app: axum::Router) -> std::io::Result<()> {
    /// use axum::body::Body;
    /// use hyper::{Request, body::Incoming};
    /// use tower_flowctl::http2::RequestBody;
    /// use tokio::net::{TcpListener, TcpStream};
    /// use tower::ServiceExt;
    /// use tower_flowctl::admission::{AdmittedStream, Counted};
    ///
    /// type Io = AdmittedStream<TcpStream>;
    /// let listener = admission.listener(TcpListener::bind("[::]:8080").await?);
    /// let service = move |io: &Io, _: &_| {
    ///     Counted::new(app.clone(), io.connection())
    ///         .map_request(|request: Request<RequestBody<Incoming>>| request.map(Body::new))
    /// };
    /// tower_flowctl::serve_with(listener, service)
    ///     .close_when(|io: &Io| {
    ///         let connection = io.connection();
    ///         Some(async move { connection.closing().await })
    ///     })
    ///     .run()
    ///     .await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancellation
    /// Nothing is lost: whoever asks again is told at once.
    pub async fn closing(&self) {
        self.0.closing().await;
    }

    /// Says that the layers below HTTP are done: the handshake's deadline ends, the first head's begins. `CountRequests`
    /// does it.
    pub fn established(&self) {
        self.0.set_established();
    }

    /// Says that it speaks HTTP/2, where bytes between requests are not a request's head.
    pub fn multiplexed(&self) {
        self.0.set_multiplexed();
    }

    /// Says that it is not HTTP any more, as after a 101: it then stays active until it ends.
    pub fn upgraded(&self) {
        self.0.set_upgraded();
    }

    /// Has its client no longer held to [`Limits::rate`](super::Limits::rate) for the bodies of its requests: for streams of
    /// messages that may be far between, as of gRPC, whose handler says so when it begins. It stays so until the connection ends.
    pub fn bodies_may_wait(&self) {
        self.0.set_patient();
    }

    /// Counts a request until the guard is dropped.
    #[inline]
    pub fn begin(&self) -> ActiveRequest {
        self.0.begin();
        ActiveRequest(Arc::clone(&self.0))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state())
            .field("ip", &self.ip())
            .field("class", &self.class())
            .field("age", &self.age())
            .field("silent", &self.silent())
            .field("in_flight", &self.in_flight())
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

/// A request of a connection; while it lives, the connection is active.
pub struct ActiveRequest(pub(crate) Arc<Shared>);

impl Drop for ActiveRequest {
    #[inline]
    fn drop(&mut self) {
        self.0.end();
    }
}

impl fmt::Debug for ActiveRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActiveRequest")
            .field(&Connection(Arc::clone(&self.0)))
            .finish()
    }
}
