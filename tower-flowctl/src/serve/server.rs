//! The loop that takes connections, and the drain that ends it.

use std::{
    fmt,
    future::{Future, pending, ready},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::serve::Listener;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream, stream::BoxStream};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tower_service::Service;

#[cfg(unix)]
use crate::http2::{SocketOf, of_tokio};
use crate::{
    http2::{Connection, Http2Config, PriorityStream, ReceiveBudget, ReceiveService, RequestBody},
    later::{LONGEST, later},
};

use super::{
    CloseWhen, Exec, HalfClosed, Http2Tuning, NeverClose, Pipelined,
    connection::{Phase, connection},
    queue,
    service::Scheduled,
    settings::Settings,
};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a server with a shutdown signal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every request in flight was answered, and every upgraded connection has ended.
    Drained,
    /// This many connections were open still at the drain timeout. All but the upgraded ones were dropped.
    Cut(usize),
}

/// How long connections that are cut off may take to go: one whose handler computes sees it when that awaits.
const TO_STOP: Duration = Duration::from_secs(1);

/// A listener's connections that it has taken and not handed out.
type UnderWay<L> =
    Box<dyn FnOnce(L) -> BoxStream<'static, (<L as Listener>::Io, <L as Listener>::Addr)> + Send>;

/// Whether somebody else accepts from the queue of the listening socket.
type LeaveQueue = Box<dyn FnOnce() -> bool + Send>;

/// A server in the making; made by [`serve`](super::serve) and [`serve_with`](super::serve_with). Run it with
/// [`run`](Self::run) or [`run_until`](Self::run_until).
#[must_use = "a server does nothing until it is run"]
pub struct Serve<L: Listener, M, C = NeverClose> {
    listener: L,
    under_way: Option<UnderWay<L>>,
    leave_queue: Option<LeaveQueue>,
    #[cfg(unix)]
    socket: SocketOf<L::Io>,
    make: M,
    close: C,
    settings: Settings,
}

impl<L: Listener, M> Serve<L, M> {
    pub(super) fn new(listener: L, make: M) -> Self {
        Self {
            listener,
            under_way: None,
            leave_queue: None,
            #[cfg(unix)]
            socket: of_tokio,
            make,
            close: NeverClose,
            settings: Settings {
                tuning: Http2Tuning::default(),
                http2: Http2Config::default(),
                receive_budget: None,
                exec: Exec::default(),
                header_timeout: Some(Duration::from_secs(30)),
                half_closed: HalfClosed::default(),
                pipelined: Pipelined::default(),
                drain_timeout: Duration::from_secs(30),
            },
        }
    }

    /// Asks a connection to close when a future resolves that was made from its stream: HTTP/2 by GOAWAY, HTTP/1
    /// by `connection: close`, in both cases after the requests in flight. The stream is whatever the listener
    /// accepts, so that an adapter can be the one who asks.
    ///
    /// ```no_run
    /// # async fn run(app: axum::Router) -> std::io::Result<()> {
    /// # use std::{sync::Arc, time::Duration};
    /// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
    /// // No connection lives longer than an hour.
    /// tower_flowctl::serve(listener, app)
    ///     .close_when(|_: &tokio::net::TcpStream| Some(tokio::time::sleep(Duration::from_secs(3600))))
    ///     .run()
    ///     .await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close_when<C>(self, close: C) -> Serve<L, M, C>
    where
        C: CloseWhen<L::Io>,
    {
        Serve {
            listener: self.listener,
            under_way: self.under_way,
            leave_queue: self.leave_queue,
            #[cfg(unix)]
            socket: self.socket,
            make: self.make,
            close,
            settings: self.settings,
        }
    }
}

impl<L: Listener, M, C> Serve<L, M, C> {
    /// Says how the listener is closed by the shutdown signal: what it has accepted then and not handed out, such as the
    /// handshakes of TLS, is served if it comes within the second that clients who have not asked for anything have.
    /// By default the listener is dropped with all of that, once it has handed out whom the kernel's queue had.
    pub fn under_way<R>(mut self, close: impl FnOnce(L) -> R + Send + 'static) -> Self
    where
        R: Stream<Item = (L::Io, L::Addr)> + Send + 'static,
    {
        self.under_way = Some(Box::new(move |listener: L| close(listener).boxed()));
        self
    }

    /// Says whether the queue of the listening socket is left as it is at the shutdown signal: where another process has the same
    /// socket and accepts from it, after a restart that hands it over, the kernel keeps those who wait for that one. It is asked when
    /// the signal has come. By default they are taken, as nobody else would.
    ///
    /// ```no_run
    /// # async fn run(app: axum::Router) -> std::io::Result<()> {
    /// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
    ///
    /// let handed_over = Arc::new(AtomicBool::new(false));
    /// let left = handed_over.clone();
    /// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
    /// tower_flowctl::serve(listener, app)
    ///     .leave_queue_if(move || left.load(Ordering::Relaxed))
    ///     .run_until(tokio::signal::ctrl_c())
    ///     .await;
    /// # drop(handed_over);
    /// # Ok(())
    /// # }
    /// ```
    pub fn leave_queue_if(mut self, left: impl FnOnce() -> bool + Send + 'static) -> Self {
        self.leave_queue = Some(Box::new(left));
        self
    }

    /// Sets the knobs of HTTP/2.
    pub fn tuning(mut self, tuning: Http2Tuning) -> Self {
        self.settings.tuning = tuning;
        self
    }

    /// Sets what HTTP/2 connections do besides: limits against abuse, counters, the low-water mark of sockets.
    pub fn http2(mut self, config: Http2Config) -> Self {
        self.settings.http2 = config;
        self
    }

    /// Lets the windows of uploads follow what each connection can use, within a budget for all of them.
    ///
    /// They start at 65,535 bytes. [`Http2Tuning::stream_window`] and [`Http2Tuning::connection_window`] are the most they
    /// come to; hyper is given twice as much, which it tells nobody of, and its own
    /// [`adaptive_window`](Http2Tuning::adaptive_window) is off. A connection has 2,048 streams at most.
    ///
    /// ```
    /// use tower_flowctl::{http2::ReceiveBudget, serve::Http2Tuning};
    ///
    /// # fn run(listener: tokio::net::TcpListener, app: axum::Router) {
    /// let budget = ReceiveBudget::new(256 << 20);
    /// let server = tower_flowctl::serve(listener, app)
    ///     .receive_budget(budget.clone())
    ///     .tuning(Http2Tuning::uploads());
    /// println!("{} of {} bytes are promised", budget.promised(), budget.total());
    /// # drop(server);
    /// # }
    /// ```
    pub fn receive_budget(mut self, budget: ReceiveBudget) -> Self {
        self.settings.receive_budget = Some(budget);
        self
    }

    /// Sets where HTTP/2 handlers run; [`Exec::Local`] by default.
    pub fn exec(mut self, exec: Exec) -> Self {
        self.settings.exec = exec;
        self
    }

    /// Says where the socket below a stream is, for [`LowWaterMark`](crate::http2::LowWaterMark), and HTTP/2's `TCP_NODELAY`
    /// and `TCP_CORK`. A `tokio::net::TcpStream` is found without help.
    #[cfg(unix)]
    pub fn socket(mut self, socket: fn(&L::Io) -> Option<std::os::fd::BorrowedFd<'_>>) -> Self {
        self.socket = socket;
        self
    }

    /// How long the head of an HTTP/1 request may take, and an idle HTTP/1 connection may wait for one: 30 seconds
    /// by default. `None` is for ever, and saves a timer for each request: where somebody else ends those who send no
    /// head, as admission does.
    pub fn header_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.header_timeout = timeout.into().map(|timeout| timeout.min(LONGEST));
        self
    }

    /// Says what becomes of the requests of HTTP/1 clients that send no more; [`HalfClosed::Cancel`] by default.
    pub fn half_closed(mut self, half_closed: HalfClosed) -> Self {
        self.settings.half_closed = half_closed;
        self
    }

    /// Says how responses to pipelined requests go out; [`Pipelined::Singly`] by default.
    pub fn pipelined(mut self, pipelined: Pipelined) -> Self {
        self.settings.pipelined = pipelined;
        self
    }

    /// How long requests in flight and upgraded connections (WebSockets) may take after the shutdown signal: 30 seconds
    /// by default. Nobody but their handlers can ask upgraded connections to end.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }
}

impl<L, M, C, S, B> Serve<L, M, C>
where
    L: Listener,
    M: FnMut(&L::Io, &L::Addr) -> S,
    C: CloseWhen<L::Io>,
    S: Service<Request<RequestBody<Incoming>>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Serves for ever.
    pub async fn run(self) {
        self.run_until(pending::<()>()).await;
    }

    /// Serves until the signal resolves; then takes those who have connected already, and nobody else, asks all connections to close,
    /// and waits for them, but not longer than the [drain timeout](Self::drain_timeout). Then it drops all but the upgraded ones,
    /// which their handlers have, and waits until they are gone, up to a second for handlers that compute.
    ///
    /// Those who have connected already are in the kernel's queue, and would be reset when the listening socket is closed. It is closed
    /// when the listener has handed out nobody for 10 ms, or 4,096, or when the grace is over: what a listener keeps waiting for longer,
    /// at a limit or to an accept rate, goes with it, as does who connects in the very moment.
    /// [`leave_queue_if`](Self::leave_queue_if) leaves them to another process.
    ///
    /// A connection without a request so far is asked after its first one, or after the grace: a second, or half of the drain
    /// timeout if that is less.
    ///
    /// Dropping the future stops accepting, and leaves the connections to finish as they will, or when
    /// [`close_when`](Self::close_when) says so.
    pub async fn run_until<T>(self, signal: impl Future<Output = T> + Send) -> End {
        let Self {
            mut listener,
            under_way,
            leave_queue,
            #[cfg(unix)]
            socket,
            mut make,
            mut close,
            settings,
        } = self;
        let mut signal = pin!(signal);
        let (phase, _) = watch::channel(Phase::Serve);
        let (open, _) = watch::channel(());
        let drain_timeout = settings.drain_timeout;
        let settings = Arc::new(settings);
        let mut begin = |io: L::Io, address: L::Addr| {
            let service = make(&io, &address);
            let asked = close.close_when(&io);
            let shared = Arc::new(Connection::with_windows(
                settings.http2.clone(),
                settings.windows(),
            ));
            let together = settings.pipelined == Pipelined::Together;
            let io = PriorityStream::with_connection(io, shared.clone())
                .together(together)
                .counted(open.subscribe());
            #[cfg(unix)]
            let io = io.socket(socket);
            let service = Scheduled {
                service: ReceiveService::new(service, settings.receive_budget.is_some()),
                connection: shared,
                heard: Arc::default(),
            };
            tokio::spawn(connection(
                io,
                service,
                settings.clone(),
                asked,
                phase.subscribe(),
            ));
        };
        loop {
            let (io, address) = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = &mut signal => break,
            };
            begin(io, address);
        }
        let begun = Instant::now();
        let heard_by = later(begun, settings.grace());
        phase.send_replace(Phase::Drain);
        if !leave_queue.is_some_and(|left| left()) {
            queue::take(&mut listener, heard_by, &mut begin).await;
        }
        let under_way = match under_way {
            Some(close) => close(listener),
            None => {
                drop(listener);
                stream::empty().boxed()
            }
        };
        let drained = async {
            let handed_out = under_way.for_each(|(io, address)| {
                begin(io, address);
                ready(())
            });
            let _ = timeout_at(heard_by, handed_out).await;
            open.closed().await;
        };
        if timeout_at(later(begun, drain_timeout), drained)
            .await
            .is_ok()
        {
            return End::Drained;
        }
        let left = open.receiver_count();
        phase.send_replace(Phase::Stop);
        // So that what they held is given back when this returns.
        let _ = timeout(TO_STOP, phase.closed()).await;
        End::Cut(left)
    }
}

impl<L: Listener + fmt::Debug, M, C> fmt::Debug for Serve<L, M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
