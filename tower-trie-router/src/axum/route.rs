//! What a layer wraps.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    response::{IntoResponse, Response},
};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    handler::{Erased, Wrap, route_of, seeing},
    service::with_body,
};
use crate::router::RouteFuture;

/// The endpoint of a route, as a layer given to a [`TrieRouter`](crate::TrieRouter) or to
/// [`MethodRoutes`](crate::routing::MethodRoutes) gets it: what `axum::routing::Route` is to
/// axum's router. A clone is one reference count.
///
/// It takes requests of any body, since a layer may change the body's type, as
/// `tower_http::limit::RequestBodyLimitLayer` does.
#[derive(Debug, Clone)]
pub struct AxumRoute(Erased);

impl<B> Service<http::Request<B>> for AxumRoute
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Body>;

    /// Always ready; see [`Route`](crate::Route).
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        self.0.call(with_body(request))
    }
}

/// Puts a layer around routes.
pub(super) fn wrap_of<L>(layer: L) -> Arc<Wrap>
where
    L: Layer<AxumRoute> + Clone + Send + Sync + 'static,
    L::Service: Service<Request> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoResponse + 'static,
    <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
    <L::Service as Service<Request>>::Future: Send + 'static,
{
    Arc::new(move |route| route_of(layer.layer(AxumRoute(route))))
}

/// As [`wrap_of`], for a layer that looks for nothing that the router leaves in requests.
pub(super) fn wrap_of_unseeing<L>(layer: L) -> Arc<Wrap>
where
    L: Layer<AxumRoute> + Clone + Send + Sync + 'static,
    L::Service: Service<Request> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Response: IntoResponse + 'static,
    <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
    <L::Service as Service<Request>>::Future: Send + 'static,
{
    Arc::new(move |route| {
        let sees = route.endpoint.sees();
        seeing(sees, layer.layer(AxumRoute(route)))
    })
}
