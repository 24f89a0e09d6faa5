//! The service.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    Armed, HotBody, Port, ResponseFuture,
    switch::{Provide, Switch},
};
use crate::{
    Handle, Version,
    automatic::Side,
    store::{Store, Table},
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
/// A clone is not ready, as tower wants it. A service that was polled keeps its clone of that generation's service in
/// memory until it is polled or dropped. That does not count as in flight. When it is dropped after a call, another
/// `HotSwap` of the same processor goes on with it while its generation is current, so that a server that clones for each
/// request, as hyper does, clones none of `S`; what `S` keeps in each clone passes from one request to the next.
///
/// # Cost
/// Looking whether what was made ready is still current is one load. A clone counts on a word that its thread has for
/// itself while a [`Handle`] lives, finds its service by exchanging another one, and counts the request in and out on a
/// third: none of it costs more when there are more threads. The README has the instructions of a whole request.
pub struct HotSwap<S: Clone + Send + Sync + 'static>(Switch<Plain<S>>);

impl<S: Clone + Send + Sync + 'static> HotSwap<S> {
    /// A service that begins with `service`, and the handle that replaces it.
    #[must_use]
    pub fn new(service: S, version: Version) -> (Self, Handle<S>) {
        let handle = Handle::builder(service, version).build();
        (handle.service(), handle)
    }

    pub(crate) fn from_port(port: Arc<Port<S>>) -> Self {
        Self(Switch::new(Plain(port)))
    }
}

/// The value is the service.
struct Plain<S>(Arc<Port<S>>);

impl<S> Clone for Plain<S> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.here())
    }
}

impl<S: Clone + Send + Sync + 'static> Provide for Plain<S> {
    type Value = S;
    type Service = S;
    type Kept = Box<Armed<S>>;

    #[inline]
    fn store(&self) -> &Arc<Store<S>> {
        self.0.store()
    }

    fn service(&self, table: &Table<S>, side: Side) -> S {
        table.side(side).value().clone()
    }

    fn shard(&self) -> usize {
        self.0.number()
    }

    #[inline]
    fn lent(&self) -> Option<Box<Armed<S>>> {
        self.0.take()
    }

    #[inline]
    fn give_back(&self, kept: Box<Armed<S>>) {
        self.0.keep(kept);
    }
}

impl<S, B, C> Service<Request<B>> for HotSwap<S>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + Sync + 'static,
{
    type Response = Response<HotBody<C>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready::<B>(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request)
    }
}

impl<S: Clone + Send + Sync + 'static> Clone for HotSwap<S> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Clone + Send + Sync + 'static> fmt::Debug for HotSwap<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.0.provider().store().table();
        f.debug_struct("HotSwap")
            .field("current", &table.primary.snapshot().version)
            .field("ready", &self.0.is_armed())
            .finish_non_exhaustive()
    }
}
