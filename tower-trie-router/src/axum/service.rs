//! A built axum router as a service.

use std::{
    any::Any,
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
    routing::IntoMakeService,
};
use http::Request;
use tower_service::Service;

use crate::router::{RouteFuture, RouterLayer, RouterService, Routes};

/// A built [`TrieRouter`](crate::TrieRouter): a [`Service`] for requests of any body, whose clone
/// is one reference count.
///
/// It is a whole application under `axum::serve`, a `fallback_service` or `nest_service` of an
/// `axum::Router`, and by [`into_layer`](Self::into_layer) the front of one. Always ready; see
/// [`RouterService`].
#[derive(Clone)]
pub struct TrieService {
    inner: RouterService<Body, Body>,
}

impl TrieService {
    pub(crate) fn new(inner: RouterService<Body, Body>) -> Self {
        Self { inner }
    }

    /// The routes, in the order of registration.
    pub fn routes(&self) -> Routes<'_> {
        self.inner.routes()
    }

    /// A layer that tries this router first and falls through to the wrapped service, such as an
    /// `axum::Router`, for a path that none of its routes matches.
    pub fn into_layer(self) -> RouterLayer<Body, Body> {
        self.inner.into_layer()
    }

    /// The router as `axum::serve` takes it. For the peer's address use
    /// `axum::ServiceExt::into_make_service_with_connect_info`.
    pub fn into_make_service(self) -> IntoMakeService<Self> {
        axum::ServiceExt::<axum::extract::Request>::into_make_service(self)
    }
}

impl fmt::Debug for TrieService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrieService")
            .field("routes", &self.routes())
            .finish_non_exhaustive()
    }
}

/// Prints the routes as a tree, with their methods.
impl fmt::Display for TrieService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<B> Service<Request<B>> for TrieService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Body>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> RouteFuture<Body> {
        self.inner.call(with_body(request))
    }
}

/// The request with axum's body. One that has it already, as most have, is not taken apart for that.
#[inline]
pub(crate) fn with_body<B>(request: Request<B>) -> Request<Body>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut request = Some(request);
    let any: &mut dyn Any = &mut request;
    if let Some(request) = any.downcast_mut::<Option<Request<Body>>>() {
        return request.take().expect("it was put there above");
    }
    request.expect("it was put there above").map(Body::new)
}

/// What axum's `Path` answers where no axum router filled it.
const MISSING: &[u8] = b"No paths parameters found for matched route";

/// What is answered instead.
const EXPLANATION: &str = "This handler extracts axum::extract::Path or RawPathParams inside another extractor, \
     which only axum's own router can fill. Use tower_trie_router::Path or RouteParams there, \
     or register the handler with TrieRouter::compat.";

/// Turns the bare 500 of an axum `Path` that was hidden in an extractor of the application's own
/// into one that says what to do.
pub(crate) fn explain(response: Response, cx: &mut Context<'_>) -> Response {
    if response.size_hint().exact() != Some(MISSING.len() as u64) {
        return response;
    }
    let (parts, mut body) = response.into_parts();
    // The rejection's body is there as a whole; another body of that length that is not, is put
    // back in front of what was read, which is nothing.
    match Pin::new(&mut body).poll_frame(cx) {
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(data) if data == MISSING => Response::from_parts(parts, Body::from(EXPLANATION)),
            Ok(data) if data.len() == MISSING.len() => {
                Response::from_parts(parts, Body::from(data))
            }
            Ok(data) => Response::from_parts(parts, Body::new(Prefixed::new(data, body))),
            Err(_) => Response::from_parts(parts, body),
        },
        _ => Response::from_parts(parts, body),
    }
}

/// A body whose first piece was read already.
struct Prefixed {
    first: Option<Bytes>,
    rest: Body,
}

impl Prefixed {
    fn new(first: Bytes, rest: Body) -> Self {
        Self {
            first: Some(first),
            rest,
        }
    }
}

impl HttpBody for Prefixed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(http_body::Frame::data(first)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}
