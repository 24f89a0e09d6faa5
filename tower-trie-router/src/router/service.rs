//! A built router as a service.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use http_body::Body;
use tower_service::Service;

use super::{
    frozen::Frozen,
    future::RouteFuture,
    layer::RouterLayer,
    listing::{Routes, tree},
};

/// A built router: a [`Service`] whose clone is one reference count.
///
/// Always ready: the services behind its routes are cloned for each request. A clone that is ready is
/// called within [`call`](Service::call); one that is not is driven to readiness inside the future. So what a
/// layer in front does to the future alone (instrumenting it, a task-local's scope) is around the futures of the
/// services behind, and not always around their calls. Put limits in front of the router, or in a layer of a
/// route, not in the hope of the router's back-pressure.
pub struct RouterService<B, R> {
    pub(crate) frozen: Arc<Frozen<B, R>>,
}

impl<B, R> RouterService<B, R> {
    pub(crate) fn new(frozen: Frozen<B, R>) -> Self {
        Self {
            frozen: Arc::new(frozen),
        }
    }

    /// The routes, in the order of registration.
    pub fn routes(&self) -> Routes<'_> {
        Routes::new(&self.frozen.listed)
    }

    /// A layer that tries this router first and falls through to the wrapped service for a path
    /// that none of its routes matches.
    pub fn into_layer(self) -> RouterLayer<B, R> {
        RouterLayer::new(self)
    }
}

impl<B, R> Clone for RouterService<B, R> {
    fn clone(&self) -> Self {
        Self {
            frozen: Arc::clone(&self.frozen),
        }
    }
}

impl<B, R> fmt::Debug for RouterService<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterService")
            .field("routes", &self.routes())
            .finish_non_exhaustive()
    }
}

/// Prints the routes as a tree, with their methods.
impl<B, R> fmt::Display for RouterService<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tree(self.routes(), f)
    }
}

impl<B, R: Body + Default> Service<Request<B>> for RouterService<B, R> {
    type Response = http::Response<R>;
    type Error = Infallible;
    type Future = RouteFuture<R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> RouteFuture<R> {
        let frozen = &self.frozen;
        let answered = frozen.dispatch(request);
        answered.unwrap_or_else(|request| frozen.not_found(request))
    }
}
