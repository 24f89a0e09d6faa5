//! Connections in, drain at the end: tower-flowctl's `serve`, which sends HTTP/2 responses by priority, with what every
//! request is told of its connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::serve::Listener;
use futures_util::Stream;
use http::Request;
use tower::{Layer, Service};
use tower_flowctl::admission::Counted;
use tower_flowctl::http2::{Http2Config, Http2Metrics, ReceiveBudget};
use tower_flowctl::serve::{self, End, Http2Tuning, Pipelined};
use tower_hotswap::tls::EarlyData;
use tower_pool::context::{self, ContextLayer};

use crate::accept::OverSocket;
use crate::assembly::RequestPlane;
use crate::config::{Config, HalfClosed};
use crate::facts::Facts;
use crate::shutdown::Shutdown;

/// One of the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    Http,
    Https,
    Admin,
}

impl Port {
    pub(crate) const ALL: [Port; 3] = [Port::Http, Port::Https, Port::Admin];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Port::Http => "http",
            Port::Https => "https",
            Port::Admin => "admin",
        }
    }
}

/// Who is at the other end of a request's connection; known to all that works on a request by [`Facts`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) port: Port,
}

/// Connections of one port, over all threads.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: [AtomicI64; 3],
    accepted: [AtomicU64; 3],
}

impl Connections {
    pub(crate) fn open(&self, port: Port) -> i64 {
        self.open[port as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn accepted(&self, port: Port) -> u64 {
        self.accepted[port as usize].load(Ordering::Relaxed)
    }

    fn enter(self: &Arc<Self>, port: Port) -> Open {
        self.open[port as usize].fetch_add(1, Ordering::Relaxed);
        self.accepted[port as usize].fetch_add(1, Ordering::Relaxed);
        Open(self.clone(), port)
    }
}

/// One open connection.
#[derive(Debug)]
struct Open(Arc<Connections>, Port);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open[self.1 as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a listener serves with.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    pub(crate) port: Port,
    pub(crate) config: Arc<Config>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) http2: Arc<Http2Metrics>,
    /// What uploads over HTTP/2 are promised, all connections together; `None` is as much for each.
    pub(crate) receive_budget: Option<ReceiveBudget>,
    pub(crate) shutdown: Shutdown,
}

/// Serves every connection of the listener until shutdown is asked for, then drains, with what the listener has begun when it is
/// closed.
pub(crate) async fn serve<L, R, S>(
    listener: L,
    close: impl FnOnce(L) -> R + Send + 'static,
    service: S,
    mut serving: Serving,
) -> End
where
    L: Listener<Addr = SocketAddr, Io: OverSocket>,
    R: Stream<Item = (L::Io, SocketAddr)> + Send + 'static,
    S: RequestPlane,
{
    let Serving {
        port,
        ref config,
        ref connections,
        ..
    } = serving;
    let shutdown = serving.shutdown.clone();
    let facts = ContextLayer::<Facts>::new();
    let make = |io: &L::Io, address: &SocketAddr| {
        let named = WithPeer {
            service: service.clone(),
            peer: Peer {
                address: *address,
                port,
            },
            early: io.take_early_data(),
            _open: Arc::new(connections.enter(port)),
        };
        AnyBody(Counted::new(facts.layer(named), io.connection()))
    };
    let server = tower_flowctl::serve_with(listener, make);
    #[cfg(unix)]
    let server = server.socket(L::Io::socket);
    let (server, tuning) = match serving.receive_budget {
        // The most that a window comes to, where the round trip and the budget have it.
        Some(budget) => (server.receive_budget(budget), Http2Tuning::uploads()),
        None => (server, Http2Tuning::default()),
    };
    server
        .http2(Http2Config::default().metrics(serving.http2.clone()))
        // Deadlines for heads and silence are admission's, which can be changed while the server runs, and need no timer for
        // each request.
        .header_timeout(None)
        .pipelined(Pipelined::Together)
        .half_closed(match config.half_closed {
            HalfClosed::Cancel => serve::HalfClosed::Cancel,
            HalfClosed::Answer => serve::HalfClosed::Answer,
        })
        .drain_timeout(config.drain_timeout)
        .under_way(close)
        // The process that takes over has the same socket.
        .leave_queue_if(move || shutdown.is_handed_over())
        // A silent peer is asked whether it is there, and dropped when it does not say so.
        .tuning(tuning.keep_alive(PING_AFTER, PING_PATIENCE))
        .close_when(|io: &L::Io| {
            let connection = io.connection();
            Some(async move { connection.closing().await })
        })
        .run_until(serving.shutdown.asked())
        .await
}

/// When a silent HTTP/2 connection is pinged, and how long the answer may take.
const PING_AFTER: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// Hands hyper's requests to a service for axum's.
#[derive(Debug, Clone)]
struct AnyBody<S>(S);

impl<S, B> Service<Request<B>> for AnyBody<S>
where
    S: Service<Request<Body>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        // To box a body that has nothing to say costs more than to ask.
        self.0.call(request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(body),
        }))
    }
}

/// Tells the requests of a connection who sent them, and whether that may be somebody who only repeats them.
#[derive(Debug, Clone)]
struct WithPeer<S> {
    service: S,
    peer: Peer,
    early: Option<EarlyData>,
    /// Counts the connection as long as it has its service.
    _open: Arc<Open>,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        // Outside of the context nobody asks.
        let _ = context::update(|facts: &mut Facts| {
            facts.peer = Some(self.peer);
            facts.early = self.early.clone();
        });
        self.service.call(request)
    }
}
