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
    /// What the next request is counted in by. It goes with that request, so that it is fetched once for each, as is the
    /// place of the thread, which may be another one each time.
    shard: Option<Arc<Shard>>,
    /// A request is counted in and not handed over yet: the service is being called, or panicked.
    counted: bool,
}

impl<S> Armed<S> {
    /// Counts a request in, unless the generation is retired.
    #[inline]
    fn count_in(&mut self) -> bool {
        // A count that a panic left behind does for this request.
        self.counted |= !self.counted && self.shard.as_ref().is_some_and(|shard| shard.enter());
        self.counted
    }

    /// Calls the service, which is ready; the request is counted in.
    #[inline(always)]
    fn call<B>(&mut self, request: Request<B>) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        ResponseFuture::called(self.service.call(request), self.hand_over())
    }

    #[inline]
    fn hand_over(&mut self) -> Option<InFlight> {
        self.counted = false;
        self.shard.take().map(InFlight::counted)
    }

    /// Counts out what a panic left behind.
    #[cold]
    fn leave(&self) {
        if let Some(shard) = &self.shard {
            shard.leave();
        }
    }
}

impl<S> Drop for Armed<S> {
    #[inline]
    fn drop(&mut self) {
        if self.counted {
            self.leave();
        }
    }
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
            Some(armed) if armed.stamp == now && armed.shard.is_some() => {
                armed.service.poll_ready(cx)
            }
            _ => self.arm().service.poll_ready(cx),
        }
    }

    /// Not inlined, and without anything that a panic of the service would make it clean up: only so the compiler lets the
    /// service write its future where that is to be, and copies neither its hundreds of bytes nor the request's.
    #[inline(never)]
    pub(crate) fn call<B, C>(&mut self, request: Request<B>) -> ResponseFuture<P::Service, B>
    where
        P::Service: Service<Request<B>, Response = Response<C>>,
    {
        let now = self.provider.store().stamp();
        if let Some(armed) = &mut self.armed
            && armed.stamp == now
            && !now.has_canary()
            && armed.count_in()
        {
            return armed.call(request);
        }
        self.call_by_table(request)
    }

    /// The armed clone, of the table as it is now.
    fn arm(&mut self) -> &mut Armed<P::Service> {
        let table = self.provider.store().table();
        // A stamp is stored before its table: the table may still be the one that was armed.
        if matches!(&self.armed, Some(armed) if armed.stamp != table.stamp) {
            self.armed = None;
        }
        let armed = self.armed.get_or_insert_with(|| Armed {
            stamp: table.stamp,
            service: self.provider.service(&table, Side::Primary),
            shard: None,
            counted: false,
        });
        if armed.shard.is_none() {
            armed.shard = Some(table.primary.shard().clone());
        }
        armed
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
            Some(armed) => ResponseFuture::called(armed.service.call(request), Some(in_flight)),
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
