//! How the server is put together, in two planes.
//!
//! ```text
//!  connection_plane   TCP port ─► no delay ─► opening deadline ─► hyper (HTTP/1.1, HTTP/2)
//!                      ┌───────────────────────────────────────────┘ http::Request
//!  request_plane      request id ─► log ─► panics ─► problems ─► timeout ─► body limit ─► trie router
//! ```
//!
//! What wraps connections goes into [`connection_plane`], what wraps requests into [`request_plane`], and
//! nothing else in this program knows how many layers there are.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::HttpBody as Body;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::serve::{Listener, ListenerExt};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, RequestId};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tower_http::{LatencyUnit, ServiceBuilderExt};
use tower_trie_router::{BuildError, TrieService};
use tracing::{Level, Span};

use crate::config::{Config, DemoData};
use crate::opening::OpeningDeadline;
use crate::pages::RouteList;
use crate::store::Store;
use crate::{api, pages, problem};

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) started: Instant,
    /// Set once the router is complete: the list of routes contains the page that shows it.
    pub(crate) routes: Arc<OnceLock<RouteList>>,
}

impl App {
    fn new(config: &Config) -> Self {
        let store = match config.demo_data {
            DemoData::On => Store::with_demo_data(),
            DemoData::Off => Store::default(),
        };
        App {
            store: Arc::new(store),
            started: Instant::now(),
            routes: Arc::default(),
        }
    }
}

/// What the connections call: a service for requests as hyper makes them, which always answers.
pub(crate) trait RequestPlane:
    Service<Request<Incoming>, Response = Response<Self::Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
    type Body: Body<Data: Send, Error: Error + Send + Sync> + Send + 'static;
}

impl<S, B> RequestPlane for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Error + Send + Sync> + Send + 'static,
{
    type Body = B;
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Takes a client's request id off unless it is fit to be logged and sent back: up to 64 letters,
/// digits, `-`, `_` and `.`. The request is then given one of ours.
fn without_odd_request_id<B>(mut request: Request<B>) -> Request<B> {
    let is_fit = |id: &HeaderValue| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(fits)
    };
    if !request.headers().get_all(REQUEST_ID).iter().all(is_fit) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// From a request to its response: the layers from the outermost in, then the router.
///
/// # Errors
/// When routes contradict each other, with every one that does.
pub(crate) fn request_plane(config: &Config) -> Result<impl RequestPlane, BuildError> {
    let layers = ServiceBuilder::new()
        .map_request(without_odd_request_id)
        .set_request_id(REQUEST_ID, MakeRequestUuid)
        .layer(
            TraceLayer::new_for_http().make_span_with(span).on_response(
                DefaultOnResponse::new()
                    .level(Level::INFO)
                    .latency_unit(LatencyUnit::Micros),
            ),
        )
        .propagate_request_id(REQUEST_ID)
        .map_response(problem::describe)
        .map_response(IntoResponse::into_response)
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            config.request_timeout,
        ))
        .layer(RequestBodyLimitLayer::new(config.body_limit))
        // The line above is the limit; without this one axum's extractors would set another of 2 MB.
        .layer(DefaultBodyLimit::disable());
    Ok(layers.service(router(App::new(config))?))
}

/// All routes of the server.
fn router(app: App) -> Result<TrieService, BuildError> {
    let list = app.routes.clone();
    let router = pages::routes()
        .nest("/api/v1", api::routes())
        .with_state(app)
        .try_build()?;
    list.get_or_init(|| RouteList::of(&router));
    Ok(router)
}

/// From the operating system to a stream of bytes: the listeners from the innermost out.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) async fn connection_plane(
    config: &Config,
) -> io::Result<impl Listener<Addr = SocketAddr>> {
    let listener = TcpListener::bind(config.listen).await?.tap_io(|stream| {
        // Responses are written whole; waiting for more to send would only delay them. A stream that
        // refuses is closed already, which the first read will tell.
        let _ = stream.set_nodelay(true);
    });
    Ok(OpeningDeadline::new(listener, config.header_timeout))
}

/// What every log line of a request carries.
fn span<B>(request: &Request<B>) -> Span {
    let id = request.extensions().get::<RequestId>();
    let id = id
        .and_then(|id| id.header_value().to_str().ok())
        .unwrap_or_default();
    tracing::info_span!(
        "request",
        method = %request.method(),
        path = request.uri().path(),
        version = ?request.version(),
        id,
    )
}
