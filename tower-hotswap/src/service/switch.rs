//! The machinery that [`HotSwap`](super::HotSwap) and [`HotLayered`](crate::HotLayered) share.

use std::{
    borrow::{Borrow, BorrowMut},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use super::{Armed, ResponseFuture, future::Observation};
use crate::{
    automatic::Side,
    store::{Store, Table},
};

/// How a generation's value becomes a service.
pub(crate) trait Provide: Clone {
    /// What the store keeps.
    type Value: Send + Sync + 'static;
    type Service: Clone;
    /// How an armed clone is kept.
    type Kept: From<Armed<Self::Service>> + BorrowMut<Armed<Self::Service>>;

    fn store(&self) -> &Arc<Store<Self::Value>>;

    /// A clone of the service of that side of the table.
    fn service(&self, table: &Table<Self::Value>, side: Side) -> Self::Service;

    /// Which of a generation's shards counts the requests.
    fn shard(&self) -> usize;

    /// An armed clone that another service gave back, which may be of an earlier table.
    fn lent(&self) -> Option<Self::Kept>;

    /// Takes a clone that has nothing reserved.
    fn give_back(&self, kept: Self::Kept);
}

type Readiness<S, R> = Poll<Result<(), <S as Service<R>>::Error>>;

/// A service that passes each request to the generation of its time.
pub(crate) struct Switch<P: Provide> {
    provider: P,
    armed: Option<P::Kept>,
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

    // Of a fresh clone the compiler sees then that nothing is armed.
    #[inline(always)]
    pub(crate) fn poll_ready<B>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Readiness<P::Service, Request<B>>
    where
        P::Service: Service<Request<B>>,
    {
        let now = self.provider.store().stamp();
        if !matches!(&self.armed, Some(kept) if kept.borrow().stamp == now) {
            self.armed = None;
            self.armed = self.provider.lent();
        }
        let armed = match &mut self.armed {
            Some(kept) if (*kept).borrow().stamp == now => kept.borrow_mut(),
            _ => self.arm(),
        };
        armed.spent = false;
        armed.service.poll_ready(cx)
    }

    /// Without anything that a panic of the service would make it clean up, so that the compiler lets the service write its
    /// future where that is to be. A call of its own would cost some thirty instructions to save and restore registers.
    #[inline(always)]
    pub(crate) fn call<B, C>(&mut self, request: Request<B>) -> ResponseFuture<P::Service, B>
    where
        P::Service: Service<Request<B>, Response = Response<C>>,
    {
        let now = self.provider.store().stamp();
        if let Some(kept) = &mut self.armed
            && !now.has_canary()
        {
            let armed = kept.borrow_mut();
            if armed.stamp == now && armed.count_in() {
                return armed.call(request);
            }
        }
        self.call_by_table(request)
    }

    /// An armed clone, of the table as it is now.
    #[cold]
    fn arm(&mut self) -> &mut Armed<P::Service> {
        let table = self.provider.store().table();
        // A stamp is stored before its table: the table may still be the one that was armed.
        if !matches!(&self.armed, Some(kept) if kept.borrow().stamp == table.stamp) {
            self.armed = None;
        }
        let provider = &self.provider;
        let arm = || {
            let service = provider.service(&table, Side::Primary);
            let door = table.primary.door(provider.shard()).clone();
            P::Kept::from(Armed::new(table.stamp, service, door))
        };
        self.armed.get_or_insert_with(arm).borrow_mut()
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
        let armed = self.armed.as_mut().map(BorrowMut::borrow_mut);
        let ready = armed.filter(|armed| side == Side::Primary && armed.stamp == table.stamp);
        match ready {
            Some(armed) => {
                armed.mark = Some(in_flight);
                armed.call_observed(request, observation)
            }
            None => {
                let service = self.provider.service(&table, side);
                ResponseFuture::waiting(service, request, in_flight, observation)
            }
        }
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

impl<P: Provide> Drop for Switch<P> {
    #[inline]
    fn drop(&mut self) {
        if let Some(kept) = self.armed.take()
            && kept.borrow().spent
        {
            self.provider.give_back(kept);
        }
    }
}
