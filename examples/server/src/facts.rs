//! What the layers of one request tell each other: tower-pool's typed context.
//!
//! A field here costs no allocation and no look-up by type, which an `http::Extensions` entry does.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::Request;
use tower::{Layer, Service};
use tower_hotswap::tls::EarlyData;
use tower_pool::context::{self, Reset};
use tower_trie_router::RouteMatch;

use crate::observe::{Propagation, RouteTraffic, Traffic};
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

/// Notes the matched route. A layer of every route: what is outside of the router cannot see it otherwise.
#[derive(Debug, Clone)]
pub(crate) struct NoteRouteLayer(pub(crate) Arc<Traffic>);

impl<S> Layer<S> for NoteRouteLayer {
    type Service = NoteRoute<S>;

    fn layer(&self, inner: S) -> NoteRoute<S> {
        let place = Place {
            traffic: self.0.clone(),
            found: OnceLock::new(),
        };
        NoteRoute {
            inner,
            place: Arc::new(place),
        }
    }
}

/// The service of [`NoteRouteLayer`].
#[derive(Debug, Clone)]
pub(crate) struct NoteRoute<S> {
    inner: S,
    /// Behind one count, since a service is cloned for each request.
    place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    traffic: Arc<Traffic>,
    /// What the first request found. A layer is put around each route apart, so that it is the others', too.
    found: OnceLock<Arc<RouteTraffic>>,
}

impl<S, B> Service<Request<B>> for NoteRoute<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        if let Some(matched) = request.extensions().get::<RouteMatch>() {
            let pattern = matched.pattern();
            let Place { traffic, found } = &*self.place;
            let found = found.get_or_init(|| traffic.route(pattern));
            let route = match found.pattern() == pattern {
                true => found.clone(),
                false => traffic.route(pattern),
            };
            // Without the context layer nobody asks.
            let _ = context::update(|facts: &mut Facts| facts.route = Some(route));
        }
        self.inner.call(request)
    }
}
