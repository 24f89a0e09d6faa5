//! How the server is put together, in two planes.
//!
//! ```text
//!  connection_plane   TCP port ──► zero-copy stream ─► admission ────────► hyper (HTTP/1.1, HTTP/2) ─► context
//!                     TLS port ──► zero-copy stream ─► admission ─► TLS ─► hyper ─► context
//!                     admin ─────► zero-copy stream ─► admission, a class of its own ─► hyper ─► context, on the main thread
//!                      ┌────────────────────────────────────────────────────┘ Request
//!  request_plane      observe (id, figures, access log, span) ─► priority ─► unread bodies ─► guard (host, panics, errors, headers) ─► early data
//!                      ┌──────────────────────────────────────────────────────────────────────────────────────┘
//!  router              trie router ─┬─ pages                deadline ─► breaker ─► adaptive limit
//!                                   ├─ /api/v1              deadline ─► pooled bodies ─► breaker ─► adaptive limit ─► pooled JSON
//!                                   ├─ /uploads             pooled buffers ─► disk
//!                                   ├─ /site                zero-copy files
//!                                   ├─ /proxy               pooled connections ─► upstream
//!                                   └─ /events, /echo       server-sent events, WebSocket
//! ```
//!
//! What wraps connections goes into [`connection_plane`], what wraps requests into [`request_plane`], which needs the context
//! that [`serve`](crate::serve::serve) puts around it and fills in with the client's address; and
//! nothing else in this program knows how many layers there are.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io, net};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use tower::{Service, ServiceBuilder};
use tower_flowctl::admission::{Admission, Class, ConfigError, ProxyProtocol};
use tower_flowctl::breaker::{BaselineError, Baselines, Breaker, Shed, Trigger};
use tower_flowctl::descriptors::DescriptorGuard;
use tower_flowctl::http2::{PriorityBody, PriorityLayer, PriorityOverride};
use tower_flowctl::limit::{AdaptiveLimitLayer, Limiter};
use tower_hotswap::tls::{HotTls, HotTlsListener};
use tower_http::limit::{RequestBodyLimitLayer, ResponseBody as LimitedBody};
use tower_pool::{BodyPool, PooledBodyLayer};
use tower_trie_router::routing::{any, get};
use tower_trie_router::{BuildError, TrieRouter, TrieService};
use tower_zerocopy_fs::{ServeFiles, Windows};

use crate::accept::{FileSendingSocket, OverSocket};
use crate::app::{App, OpenError};
use crate::config::Config;
use crate::deadline::DeadlineLayer;
use crate::early::EarlyLayer;
use crate::facts::NoteRouteLayer;
use crate::guard::GuardLayer;
use crate::observe::{AccessLogger, ObserveLayer};
use crate::pages::RouteList;
use crate::tls::TlsError;
use crate::unread::UnreadLayer;
use crate::{api, headers, live, pages, problem, proxy, uploads};

/// What the connections call: a service that always answers.
pub(crate) trait RequestPlane:
    Service<Request, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> RequestPlane for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// From a request to its response: the layers from the outermost in, then the router.
///
/// # Errors
/// When the site cannot be opened, or routes contradict each other.
pub(crate) fn request_plane(app: App) -> Result<impl RequestPlane, AssemblyError> {
    let config = app.config.clone();
    let traffic = app.traffic.clone();
    let tracer = app.tracer.clone();
    let early = app.early_data.then_some(EarlyLayer);
    let router = router(app)?;
    let observe = ObserveLayer {
        unmatched: traffic.unmatched(),
        traffic,
        log: AccessLogger::new(config.access_log, config.access_log_sample),
        tracer,
    };
    // Without rules it passes requests on as they are, which is less than to choose between it and nothing for each.
    let rules = match config.priority_rules.is_on() {
        true => priority_rules(),
        false => PriorityLayer::new(),
    };
    // The connection schedules the body already; what comes out of the rules' layer need not be boxed again.
    let unwrap = |body: PriorityBody<Body>| match body.into_inner() {
        Ok(inner) => inner,
        Err(waits) => Body::new(waits),
    };
    let layers = ServiceBuilder::new()
        .layer(observe)
        .map_response(move |response: http::Response<_>| response.map(unwrap))
        .layer(rules)
        .layer(UnreadLayer)
        .layer(GuardLayer {
            security_headers: config.security_headers,
        })
        .option_layer(early);
    Ok(layers.service(router))
}

/// What goes first on an HTTP/2 connection, before what the client says; types that are not named here go as it says.
fn priority_rules() -> PriorityLayer {
    PriorityLayer::new()
        .content_type("text/html", PriorityOverride::new().urgency(2))
        .content_type("text/css", PriorityOverride::new().urgency(2))
        .content_type(
            "image/*",
            PriorityOverride::new().urgency(4).incremental(true),
        )
        .content_type(
            "application/octet-stream",
            PriorityOverride::new().urgency(6).incremental(true),
        )
}

/// All routes of the server.
fn router(app: App) -> Result<TrieService, AssemblyError> {
    let config = app.config.clone();
    let list = app.routes.clone();
    let folder = config.site.as_deref().unwrap_or(&app.site);
    let site = app
        .folder
        .service(folder, config.zero_copy, || files(&app, folder))?;
    let limit = config.adaptive_limit.is_on();
    let limit = limit.then(|| AdaptiveLimitLayer::new(app.limiter.clone()));
    let breaker = |pattern: &str| {
        // What a client marks as urgent (RFC 9218) passes an open breaker.
        let layer = || app.breaker.layer(pattern).shed(Shed::FromUrgency(3));
        config.breaker.is_on().then(layer)
    };
    // One stack for a route, which is made for its pattern: each further layer of a router is a box and a copy of the request,
    // and a pattern that is looked for in each request is memory for it.
    let noted = |pattern: &str| NoteRouteLayer(app.traffic.route(pattern));
    let timely = |pattern: &str| {
        ServiceBuilder::new()
            .layer(noted(pattern))
            .layer(DeadlineLayer(config.request_timeout))
    };
    let limited = |pattern: &str| {
        ServiceBuilder::new()
            .option_layer(breaker(pattern))
            .option_layer(limit.clone())
    };
    let api = TrieRouter::new().nest("/api/v1", api::routes());
    // Request bodies whole, and not larger than the limit. Around what measures latencies: how long a client takes to send its
    // body is no sign of how the server is, and must not close a route to others.
    let api = if config.pooled_bodies.is_on() {
        let bodies = BodyPool::new(app.pool.clone())
            .limit(config.body_limit)
            .receive_timeout(config.request_timeout);
        let pooled = PooledBodyLayer::new(bodies).rejection(problem::from_body);
        api.route_layer_by(|pattern| {
            timely(pattern)
                .layer(pooled.clone())
                .layer(limited(pattern))
        })
    } else {
        let bounded = RequestBodyLimitLayer::new(config.body_limit);
        api.route_layer_by(|pattern| {
            timely(pattern)
                .map_response(|response: http::Response<LimitedBody<Body>>| response.map(Body::new))
                .layer(bounded)
                .layer(limited(pattern))
        })
    };
    let pages = pages::routes().route_layer_by(|pattern| timely(pattern).layer(limited(pattern)));
    let answers_soon = api.merge(pages);
    let takes_its_time = TrieRouter::new()
        .merge(uploads::routes())
        .nest_service(
            "/site",
            ServiceBuilder::new()
                .map_response(headers::for_site)
                .service(site),
        )
        .route("/proxy/{*path}", any(proxy::forward))
        .route("/events", get(live::events))
        .route("/echo", any(live::echo))
        .route_layer_by(noted);
    let router = answers_soon
        .merge(takes_its_time)
        // Nobody here asks for axum's.
        .without_matched_path()
        .with_state(app)
        .try_build()?;
    list.get_or_init(|| RouteList::of(&router));
    Ok(router)
}

/// Opens for a route whose latency has left its baseline, and for all when memory or the queue of the limiter runs full.
pub(crate) fn breaker(limiter: &Limiter) -> Breaker {
    let limiter = limiter.clone();
    Breaker::builder()
        .trigger(Trigger::memory())
        .trigger(Trigger::queue(move || limiter.queue_length()))
        .build()
}

/// How fast routes are when all is well, by the file that the configuration names; without one the breaker learns it.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub(crate) fn baselines(config: &Config) -> Result<Baselines, AssemblyError> {
    let Some(file) = &config.breaker_baselines else {
        return Ok(Baselines::new());
    };
    Baselines::load(file).map_err(|source| AssemblyError::Baselines {
        file: file.clone(),
        source,
    })
}

/// A folder of files, by `sendfile(2)` where it can be.
fn files(app: &App, folder: &Path) -> Result<ServeFiles, AssemblyError> {
    let files = ServeFiles::try_new(folder)
        .map_err(|source| AssemblyError::Site {
            folder: folder.to_owned(),
            source,
        })?
        .precompressed_br()
        .precompressed_gzip()
        .precompressed_zstd()
        .metrics(app.files.clone());
    Ok(match app.config.zero_copy.is_on() {
        true => files,
        false => files.windows(Windows::Off).sealed_cache(0, 0),
    })
}

/// From the operating system to a stream of bytes: the listeners from the innermost out.
///
/// # Errors
/// When the socket cannot be watched.
pub(crate) fn connection_plane(
    app: &App,
    socket: net::TcpListener,
) -> io::Result<impl Listener<Addr = SocketAddr, Io: OverSocket> + use<>> {
    let socket = FileSendingSocket::new(socket, app.files.clone())?;
    let admitted = app.admission.listener(socket);
    Ok(match app.config.proxies.as_slice() {
        [] => admitted,
        proxies => admitted.proxy_protocol(ProxyProtocol::from_trusted(proxies.iter().cloned())),
    })
}

/// As [`connection_plane`], encrypted.
///
/// # Errors
/// When the socket cannot be watched.
pub(crate) fn tls_connection_plane(
    app: &App,
    socket: net::TcpListener,
    tls: HotTls,
) -> io::Result<HotTlsListener<impl Listener<Addr = SocketAddr, Io: OverSocket> + use<>>> {
    // The deadline is admission's, which can be changed while the server runs.
    let ample = Duration::from_secs(3600);
    Ok(HotTlsListener::new(connection_plane(app, socket)?, tls).handshake_timeout(ample))
}

/// The connections of the admin port: a class of their own, with descriptors that nobody else gets, and out of the limits
/// that are for clients.
///
/// # Errors
/// When the socket cannot be watched.
pub(crate) fn admin_connection_plane(
    app: &App,
    socket: net::TcpListener,
) -> io::Result<impl Listener<Addr = SocketAddr, Io: OverSocket> + use<>> {
    let socket = FileSendingSocket::new(socket, app.files.clone())?;
    let admitted = app.admission.class_listener(MANAGEMENT, socket);
    Ok(admitted.expect("the class was given to the builder"))
}

/// The class of the admin port's connections.
const MANAGEMENT: &str = "management";

/// The door of the process: limits for everybody, and the guard of the descriptors.
///
/// # Errors
/// When a limit is zero.
pub(crate) fn admission(config: &Config) -> Result<Admission, ConfigError> {
    Admission::builder()
        .limits(config.limits.clone())
        .class(Class::new(MANAGEMENT).limit(64).reserve(16).exempt())
        .descriptors(
            DescriptorGuard::new().on_leak(|leak| tracing::warn!(%leak, "descriptors leak")),
        )
        .build()
}

/// Why there is no request plane.
#[derive(Debug)]
pub(crate) enum AssemblyError {
    Site {
        folder: PathBuf,
        source: io::Error,
    },
    Baselines {
        file: PathBuf,
        source: BaselineError,
    },
    Tls(TlsError),
    Routes(BuildError),
    /// What would keep the server from starting again.
    Open(Box<OpenError>),
}

impl From<Box<OpenError>> for AssemblyError {
    fn from(error: Box<OpenError>) -> Self {
        AssemblyError::Open(error)
    }
}

impl From<TlsError> for AssemblyError {
    fn from(error: TlsError) -> Self {
        AssemblyError::Tls(error)
    }
}

impl From<BuildError> for AssemblyError {
    fn from(error: BuildError) -> Self {
        AssemblyError::Routes(error)
    }
}

impl fmt::Display for AssemblyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssemblyError::Site { folder, source } => {
                write!(f, "cannot serve the folder {}: {source}", folder.display())
            }
            AssemblyError::Baselines { file, source } => {
                let why = source.source().map(|why| format!(": {why}"));
                let why = why.unwrap_or_default();
                write!(f, "cannot use {}: {source}{why}", file.display())
            }
            AssemblyError::Tls(source) => source.fmt(f),
            AssemblyError::Routes(source) => write!(f, "cannot route: {source}"),
            AssemblyError::Open(source) => source.fmt(f),
        }
    }
}

impl Error for AssemblyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            AssemblyError::Site { source, .. } => Some(source),
            AssemblyError::Baselines { source, .. } => Some(source),
            AssemblyError::Tls(source) => source.source(),
            AssemblyError::Routes(source) => Some(source),
            AssemblyError::Open(source) => source.source(),
        }
    }
}
