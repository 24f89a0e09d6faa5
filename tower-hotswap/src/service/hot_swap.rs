//! The service.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use super::{HotBody, ResponseFuture, future::Observation};
use crate::{
    Handle, InFlight, Version,
    automatic::Side,
    generation::Shard,
    store::{Stamp, Store, Table},
};

/// A service that passes each request to the generation of its time.
///
/// `S` is any service that can be cloned from several threads: an `axum::Router`, a `tower::util::BoxCloneSyncService`, a
/// stack of layers.
///
/// # Readiness
/// `poll_ready` makes a clone of the current generation's service ready, and `call` uses this clone if its
/// generation is still current. If not, the request goes to a fresh clone of the current one, which is made ready
/// first, and what the other one had reserved is given back when this service is polled again or dropped. So a
/// reservation is never used in another generation than the one that granted it.
///
/// # Clones
/// A clone is not ready, as tower wants it, and holds no generation. A service that was polled keeps its clone of that
/// generation's service in memory until it is polled or dropped. That does not count as in flight.
///
/// # Cost
/// Reading what is current is one load where a service is used again, and some twenty instructions for a fresh clone;
/// counting the request in and out is two operations on a cache line that the thread has for itself.
pub struct HotSwap<S> {
    store: Arc<Store<S>>,
    armed: Option<Armed<S>>,
}

/// A clone of a generation's service.
struct Armed<S> {
    stamp: Stamp,
    service: S,
    shard: Arc<Shard>,
}

impl<S> HotSwap<S> {
    /// A service that begins with `service`, and the handle that replaces it.
    #[must_use]
    pub fn new(service: S, version: Version) -> (Self, Handle<S>) {
        let handle = Handle::builder(service, version).build();
        (handle.service(), handle)
    }

    pub(crate) fn from_store(store: Arc<Store<S>>) -> Self {
        Self { store, armed: None }
    }
}

impl<S: Clone> HotSwap<S> {
    /// The armed clone, of the table as it is now.
    fn arm(&mut self) -> &mut Armed<S> {
        let table = self.store.table();
        // A stamp is stored before its table: the table may still be the one that was armed.
        let armed = self.armed.take().filter(|armed| armed.stamp == table.stamp);
        self.armed.insert(armed.unwrap_or_else(|| Armed {
            stamp: table.stamp,
            service: table.primary.value().clone(),
            shard: table.primary.shard().clone(),
        }))
    }

    /// A request that came when the table had changed, or while there is a canary.
    #[cold]
    fn call_by_table<B, C>(&mut self, request: Request<B>) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>, Response = Response<C>>,
    {
        let (parts, body) = request.into_parts();
        let (table, side, in_flight) = loop {
            let table = self.store.table().clone();
            let side = match &table.canary {
                Some(canary)
                    if canary
                        .rule
                        .takes(&parts, canary.generation.snapshot().version.hash()) =>
                {
                    Side::Canary
                }
                _ => Side::Primary,
            };
            if let Some(in_flight) = table.side(side).enter() {
                break (table, side, in_flight);
            }
        };
        let request = Request::from_parts(parts, body);
        let observation = self.observe(&table, side);
        let ready = self
            .armed
            .as_mut()
            .filter(|armed| side == Side::Primary && armed.stamp == table.stamp);
        let future = match ready {
            Some(armed) => ResponseFuture::called(armed.service.call(request), in_flight),
            None => ResponseFuture::waiting(table.side(side).value().clone(), request, in_flight),
        };
        future.observed(observation)
    }

    fn observe(&self, table: &Table<S>, side: Side) -> Option<Box<Observation<S>>> {
        let trial = table.canary.as_ref()?.trial.as_ref()?;
        Some(Box::new(Observation {
            store: self.store.clone(),
            trial: trial.clone(),
            stamp: table.stamp,
            side,
            start: Instant::now(),
        }))
    }
}

impl<S, B, C> Service<Request<B>> for HotSwap<S>
where
    S: Service<Request<B>, Response = Response<C>> + Clone,
{
    type Response = Response<HotBody<C>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let now = self.store.stamp();
        match &mut self.armed {
            Some(armed) if armed.stamp == now => armed.service.poll_ready(cx),
            _ => self.arm().service.poll_ready(cx),
        }
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let now = self.store.stamp();
        if let Some(armed) = &mut self.armed
            && armed.stamp == now
            && !now.has_canary()
            && let Some(in_flight) = InFlight::enter(&armed.shard)
        {
            return ResponseFuture::called(armed.service.call(request), in_flight);
        }
        self.call_by_table(request)
    }
}

impl<S> Clone for HotSwap<S> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            armed: None,
        }
    }
}

impl<S> fmt::Debug for HotSwap<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.store.table();
        f.debug_struct("HotSwap")
            .field("current", &table.primary.snapshot().version)
            .field("ready", &self.armed.is_some())
            .finish_non_exhaustive()
    }
}
