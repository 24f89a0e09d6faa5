//! What the layers of one request tell each other: tower-pool's typed context.
//!
//! A field here costs no allocation and no look-up by type, which an `http::Extensions` entry does.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::{Layer, Service};
use tower_hotswap::tls::EarlyData;
use tower_pool::context::{self, Reset};

use crate::observe::{Propagation, RouteTraffic};
use crate::serve::Peer;

/// Facts about the request being answered.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Who asks; `None` for what does not come from a connection.
    pub(crate) peer: Option<Peer>,
    /// How far the handshake of its connection is, if that began with early data.
    pub(crate) early: Option<EarlyData>,
    /// The figures of the route that the router matched; `None` until then, and where no route did.
    pub(crate) route: Option<Arc<RouteTraffic>>,
    /// What a request to another server says of this one.
    pub(crate) propagation: Propagation,
}

impl Reset for Facts {
    fn reset(&mut self) {
        *self = Facts::default();
    }
}

/// Who is at the other end of the connection of the request that this task works on.
pub(crate) fn peer() -> Option<Peer> {
    context::update(|facts: &mut Facts| facts.peer)
        .ok()
        .flatten()
}

/// Notes what other servers are told of the request that this task works on. Returns who asks.
pub(crate) fn begin(propagation: Propagation) -> Option<Peer> {
    let begin = |facts: &mut Facts| {
        facts.propagation = propagation;
        facts.peer
    };
    context::update(begin).ok().flatten()
}

/// What other servers are told of the request that this task works on.
pub(crate) fn propagation() -> Propagation {
    context::update(|facts: &mut Facts| facts.propagation).unwrap_or_default()
}

/// The figures of the matched route, once. Without the context layer, or under a reader that keeps the context, it is unknown.
pub(crate) fn take_route() -> Option<Arc<RouteTraffic>> {
    context::update(|facts: &mut Facts| facts.route.take())
        .ok()
        .flatten()
}

/// Notes the route that was taken. A layer of every route: what is outside of the router cannot see it otherwise.
#[derive(Debug, Clone)]
pub(crate) struct NoteRouteLayer(pub(crate) Arc<RouteTraffic>);

impl<S> Layer<S> for NoteRouteLayer {
    type Service = NoteRoute<S>;

    fn layer(&self, inner: S) -> NoteRoute<S> {
        NoteRoute {
            inner,
            route: self.0.clone(),
        }
    }
}

/// The service of [`NoteRouteLayer`].
#[derive(Debug, Clone)]
pub(crate) struct NoteRoute<S> {
    inner: S,
    route: Arc<RouteTraffic>,
}

impl<S, Q> Service<Q> for NoteRoute<S>
where
    S: Service<Q>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Q) -> S::Future {
        // Without the context layer nobody asks.
        let _ = context::update(|facts: &mut Facts| facts.route = Some(self.route.clone()));
        self.inner.call(request)
    }
}
