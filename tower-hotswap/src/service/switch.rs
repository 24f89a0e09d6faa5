//! The machinery that [`HotSwap`](super::HotSwap) and [`HotLayered`](crate::HotLayered) share.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use super::{ResponseFuture, future::Observation};
use crate::{
    InFlight,
    automatic::Side,
    generation::Shard,
    store::{Stamp, Store, Table},
};

/// How a generation's value becomes a service.
pub(crate) trait Provide: Clone {
    /// What the store keeps.
    type Value: Send + Sync + 'static;
    type Service: Clone;

    fn store(&self) -> &Arc<Store<Self::Value>>;

    /// A clone of the service of that side of the table.
    fn service(&self, table: &Table<Self::Value>, side: Side) -> Self::Service;
}

type Readiness<S, R> = Poll<Result<(), <S as Service<R>>::Error>>;

/// A service that passes each request to the generation of its time.
pub(crate) struct Switch<P: Provide> {
    provider: P,
    armed: Option<Armed<P::Service>>,
}

/// A clone of a generation's service.
struct Armed<S> {
    stamp: Stamp,
    service: S,
    shard: Arc<Shard>,
}

impl<P: Provide> Switch<P> {
    pub(crate) fn new(provider: P) -> Self {
        Self {
            provider,
            armed: None,
        }
    }

    pub(crate) fn provider(&self) -> &P {
        &self.provider
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    #[inline]
    pub(crate) fn poll_ready<B>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Readiness<P::Service, Request<B>>
    where
        P::Service: Service<Request<B>>,
    {
        let now = self.provider.store().stamp();
        match &mut self.armed {
            Some(armed) if armed.stamp == now => armed.service.poll_ready(cx),
            _ => self.arm().service.poll_ready(cx),
        }
    }

    #[inline]
    pub(crate) fn call<B, C>(&mut self, request: Request<B>) -> ResponseFuture<P::Service, B>
    where
        P::Service: Service<Request<B>, Response = Response<C>>,
    {
        let now = self.provider.store().stamp();
        if let Some(armed) = &mut self.armed
            && armed.stamp == now
            && !now.has_canary()
            && let Some(in_flight) = InFlight::enter(&armed.shard)
        {
            return ResponseFuture::call(&mut armed.service, request, in_flight);
        }
        self.call_by_table(request)
    }

    /// The armed clone, of the table as it is now.
    fn arm(&mut self) -> &mut Armed<P::Service> {
        let table = self.provider.store().table();
        // A stamp is stored before its table: the table may still be the one that was armed.
        let armed = self.armed.take().filter(|armed| armed.stamp == table.stamp);
        self.armed.insert(armed.unwrap_or_else(|| Armed {
            stamp: table.stamp,
            service: self.provider.service(&table, Side::Primary),
            shard: table.primary.shard().clone(),
        }))
    }

    /// A request that came when the table had changed, or while there is a canary.
    #[cold]
    fn call_by_table<B, C>(&mut self, request: Request<B>) -> ResponseFuture<P::Service, B>
    where
        P::Service: Service<Request<B>, Response = Response<C>>,
    {
        let (parts, body) = request.into_parts();
        let (table, side, in_flight) = loop {
            let table = self.provider.store().table().clone();
            let side = table.pick(&parts);
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
            Some(armed) => ResponseFuture::call(&mut armed.service, request, in_flight),
            None => {
                let service = self.provider.service(&table, side);
                ResponseFuture::waiting(service, request, in_flight)
            }
        };
        future.observed(observation)
    }

    fn observe(&self, table: &Table<P::Value>, side: Side) -> Option<Observation> {
        let trial = table.canary.as_ref()?.trial.clone()?;
        let (store, stamp, start) = (self.provider.store().clone(), table.stamp, Instant::now());
        Some(Box::new(move |failed| {
            if let Some(verdict) = trial.record(side, start.elapsed(), failed) {
                // Another answer, or somebody by hand, may have been faster.
                let _ = store.settle(verdict, Some(stamp));
            }
        }))
    }
}

impl<P: Provide> Clone for Switch<P> {
    #[inline]
    fn clone(&self) -> Self {
        Self::new(self.provider.clone())
    }
}
