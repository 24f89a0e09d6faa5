//! How the server is put together, in two planes.
//!
//! ```text
//!  connection_plane   TCP port ─► no delay ─► zero-copy stream ─► opening deadline ─► hyper (HTTP/1.1, HTTP/2)
//!                     TLS port ─► no delay ─► TLS ──────────────► opening deadline ─► hyper
//!                      ┌───────────────────────────────────────────────────────────────┘ http::Request
//!  request_plane      context ─► observe (id, figures, access log) ─► security headers ─► problems ─► panics
//!                      ┌───────────────────────────────────────────────────────────────────────────────┘
//!  router              trie router ─┬─ pages                timeout
//!                                   ├─ /api/v1              timeout ─► pooled bodies ─► handlers ─► pooled JSON
//!                                   ├─ /uploads             pooled buffers ─► disk
//!                                   ├─ /site                zero-copy files
//!                                   ├─ /proxy               pooled connections ─► upstream
//!                                   └─ /events, /echo       server-sent events, WebSocket
//! ```
//!
//! What wraps connections goes into [`connection_plane`], what wraps requests into [`request_plane`], and
//! nothing else in this program knows how many layers there are.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fmt, io, net};

use axum::body::HttpBody as Body;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::serve::{Listener, ListenerExt};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::util::MapRequestLayer;
use tower::{Service, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tower_pool::context::ContextLayer;
use tower_pool::{BodyPool, PooledBodyLayer};
use tower_trie_router::routing::{any, get};
use tower_trie_router::{BuildError, TrieRouter, TrieService};
use tower_zerocopy_fs::{ServeFiles, Windows, ZeroCopyListener};

use crate::app::App;
use crate::config::Config;
use crate::facts::{Facts, note_route};
use crate::observe::{AccessLogger, ObserveLayer};
use crate::opening::OpeningDeadline;
use crate::pages::RouteList;
use crate::tls::TlsListener;
use crate::{api, headers, live, pages, problem, proxy, uploads};

/// What the connections call: a service for requests as hyper makes them, which always answers.
pub(crate) trait RequestPlane:
    Service<Request<Incoming>, Response = Response<Self::Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> RequestPlane for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
}

/// From a request to its response: the layers from the outermost in, then the router.
///
/// # Errors
/// When the site cannot be opened, or routes contradict each other.
pub(crate) fn request_plane(app: App) -> Result<impl RequestPlane, AssemblyError> {
    let config = app.config.clone();
    let traffic = app.traffic.clone();
    let router = router(app)?;
    let observe = ObserveLayer {
        counters: traffic.counters(router.routes().map(|route| route.pattern())),
        traffic,
        log: AccessLogger::new(config.access_log, config.access_log_sample),
    };
    let layers = ServiceBuilder::new()
        .layer(ContextLayer::<Facts>::new())
        .layer(observe)
        .map_response(headers::security(config.security_headers))
        .map_response(problem::describe)
        .map_response(IntoResponse::into_response)
        .layer(CatchPanicLayer::custom(problem::from_panic));
    Ok(layers.service(router))
}

/// All routes of the server.
fn router(app: App) -> Result<TrieService, AssemblyError> {
    let config = app.config.clone();
    let list = app.routes.clone();
    let site = files(&app, config.site.as_deref().unwrap_or(&app.site))?;
    let timeout =
        TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, config.request_timeout);
    let router = TrieRouter::new()
        .nest("/api/v1", bounded(api::routes(), &app))
        .merge(pages::routes())
        .layer(timeout)
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
        .route_layer(MapRequestLayer::new(note_route))
        .with_state(app)
        .try_build()?;
    list.get_or_init(|| RouteList::of(&router));
    Ok(router)
}

/// Request bodies whole, in pooled memory, and not larger than the limit.
fn bounded(routes: TrieRouter<App>, app: &App) -> TrieRouter<App> {
    let config = &app.config;
    let routes = routes
        // The layers below are the limit; without this one axum's extractors would set another of 2 MB.
        .layer(DefaultBodyLimit::disable());
    if config.pooled_bodies.is_on() {
        let bodies = BodyPool::new(app.pool.clone())
            .limit(config.body_limit)
            .receive_timeout(config.request_timeout);
        routes.layer(PooledBodyLayer::new(bodies).rejection(problem::from_body))
    } else {
        routes.layer(RequestBodyLimitLayer::new(config.body_limit))
    }
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
) -> io::Result<impl Listener<Addr = SocketAddr> + use<>> {
    let listener = ZeroCopyListener::new(without_delay(socket)?).metrics(app.files.clone());
    Ok(OpeningDeadline::new(listener, app.config.header_timeout))
}

/// As [`connection_plane`], encrypted.
///
/// # Errors
/// When the socket cannot be watched.
pub(crate) fn tls_connection_plane(
    config: &Config,
    socket: net::TcpListener,
    acceptor: TlsAcceptor,
) -> io::Result<impl Listener<Addr = SocketAddr> + use<>> {
    let listener = TlsListener::new(without_delay(socket)?, acceptor);
    Ok(OpeningDeadline::new(listener, config.header_timeout))
}

/// Responses are written whole; waiting for more to send would only delay them.
fn without_delay(
    socket: net::TcpListener,
) -> io::Result<impl Listener<Io = TcpStream, Addr = SocketAddr>> {
    Ok(TcpListener::from_std(socket)?.tap_io(|stream| {
        // A stream that refuses is closed already, which the first read will tell.
        let _ = stream.set_nodelay(true);
    }))
}

/// Why there is no request plane.
#[derive(Debug)]
pub(crate) enum AssemblyError {
    Site { folder: PathBuf, source: io::Error },
    Routes(BuildError),
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
            AssemblyError::Routes(source) => write!(f, "cannot route: {source}"),
        }
    }
}

impl Error for AssemblyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            AssemblyError::Site { source, .. } => Some(source),
            AssemblyError::Routes(source) => Some(source),
        }
    }
}
