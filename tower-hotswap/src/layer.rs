//! Middleware that can be replaced around a service that stays.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Handle, HotBody, ResponseFuture, Version,
    automatic::Side,
    generation::Generation,
    service::{Armed, Provide, Switch},
    store::{Cell, Store, Table},
    sync::{Mutex, lock, thread_number},
};

/// Wraps services in the layer of the time: a limiter is turned on, a CORS policy changes, a breaker is put in.
///
/// The inner service stays. What the layer keeps itself (permits, caches) begins anew with each generation, unless
/// the layer shares it by an `Arc` of its own. For middleware that is there or not there, use
/// `tower::util::option_layer`: the type of the layer stays the same.
///
/// Each service that was made by [`layer`](Layer::layer) builds the new generation's middleware when the first request
/// needs it, once, and its clones share that. So a layer runs while requests wait: it has to be quick. What may
/// fail belongs into the draft.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, routing::get};
/// use tower::limit::ConcurrencyLimitLayer;
/// use tower_hotswap::{HotLayer, Version};
///
/// # fn main() -> Result<(), tower_hotswap::SwapError> {
/// let (limit, handle) = HotLayer::new(ConcurrencyLimitLayer::new(100), Version::parse("1.0.0", b"100")?);
/// let app = tower::ServiceBuilder::new().layer(limit).service(Router::<()>::new());
/// handle.swap(ConcurrencyLimitLayer::new(10), Version::parse("1.1.0", b"10")?)?;
/// # drop(app);
/// # Ok(())
/// # }
/// ```
pub struct HotLayer<L> {
    store: Arc<Store<L>>,
}

impl<L> HotLayer<L> {
    /// A layer that begins as `layer`, and the handle that replaces it.
    #[must_use]
    pub fn new(layer: L, version: Version) -> (Self, Handle<L>) {
        let handle = Handle::builder(layer, version).build();
        (handle.layer(), handle)
    }

    pub(crate) fn from_store(store: Arc<Store<L>>) -> Self {
        Self { store }
    }
}

impl<L> Clone for HotLayer<L> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
        }
    }
}

impl<L> fmt::Debug for HotLayer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.store.table();
        f.debug_struct("HotLayer")
            .field("current", &table.primary.snapshot().version)
            .finish_non_exhaustive()
    }
}

impl<L, S> Layer<S> for HotLayer<L>
where
    L: Layer<S> + Send + Sync + 'static,
    L::Service: Clone,
    S: Clone,
{
    type Service = HotLayered<L, S>;

    fn layer(&self, inner: S) -> HotLayered<L, S> {
        let site = Site {
            store: self.store.clone(),
            inner,
            built: Cell::new(Arc::default()),
            building: Mutex::new(()),
        };
        HotLayered(Switch::new(Shared(Arc::new(site))))
    }
}

/// The service of [`HotLayer`]. Readiness, clones and counting are those of [`HotSwap`](crate::HotSwap).
pub struct HotLayered<L, S>(Switch<Shared<L, S>>)
where
    L: Layer<S> + Send + Sync + 'static,
    L::Service: Clone,
    S: Clone;

/// What the clones of one layered service share.
struct Site<L: Layer<S>, S> {
    store: Arc<Store<L>>,
    inner: S,
    built: Cell<Vec<Built<L, L::Service>>>,
    building: Mutex<()>,
}

/// A generation's middleware around the inner service.
struct Built<L, S> {
    generation: Arc<Generation<L>>,
    service: S,
}

struct Shared<L: Layer<S>, S>(Arc<Site<L, S>>);

impl<L: Layer<S>, S> Clone for Shared<L, S> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<L, S> Provide for Shared<L, S>
where
    L: Layer<S> + Send + Sync + 'static,
    L::Service: Clone,
    S: Clone,
{
    type Value = L;
    type Service = L::Service;
    type Kept = Armed<L::Service>;

    #[inline]
    fn store(&self) -> &Arc<Store<L>> {
        &self.0.store
    }

    fn service(&self, table: &Table<L>, side: Side) -> L::Service {
        let generation = table.side(side);
        self.0
            .built(generation)
            .unwrap_or_else(|| self.0.build(generation))
    }

    #[inline]
    fn shard(&self) -> usize {
        thread_number()
    }

    // The middleware need not be `Send`, so that no other thread can have it.
    #[inline]
    fn lent(&self) -> Option<Armed<L::Service>> {
        None
    }

    #[inline]
    fn give_back(&self, kept: Armed<L::Service>) {
        drop(kept);
    }
}

impl<L, S> Site<L, S>
where
    L: Layer<S>,
    L::Service: Clone,
    S: Clone,
{
    fn built(&self, generation: &Arc<Generation<L>>) -> Option<L::Service> {
        let built = self.built.load();
        let found = built
            .iter()
            .find(|built| Arc::ptr_eq(&built.generation, generation));
        found.map(|built| built.service.clone())
    }

    /// Builds a generation's middleware, and forgets that of generations which are not in the table any more.
    #[cold]
    fn build(&self, generation: &Arc<Generation<L>>) -> L::Service {
        let _one_at_a_time = lock(&self.building);
        if let Some(service) = self.built(generation) {
            return service;
        }
        let service = generation.value().layer(self.inner.clone());
        let table = self.store.table();
        let built = self.built.load();
        let mut kept: Vec<_> = built
            .iter()
            .filter(|built| {
                table
                    .generations()
                    .any(|served| Arc::ptr_eq(served, &built.generation))
            })
            .map(|built| Built {
                generation: built.generation.clone(),
                service: built.service.clone(),
            })
            .collect();
        kept.push(Built {
            generation: generation.clone(),
            service: service.clone(),
        });
        self.built.store(Arc::new(kept));
        service
    }
}

impl<L, S, B, C> Service<Request<B>> for HotLayered<L, S>
where
    L: Layer<S> + Send + Sync + 'static,
    L::Service: Service<Request<B>, Response = Response<C>> + Clone,
    S: Clone,
{
    type Response = Response<HotBody<C>>;
    type Error = <L::Service as Service<Request<B>>>::Error;
    type Future = ResponseFuture<L::Service, B>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready::<B>(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request)
    }
}

impl<L, S> Clone for HotLayered<L, S>
where
    L: Layer<S> + Send + Sync + 'static,
    L::Service: Clone,
    S: Clone,
{
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<L, S> fmt::Debug for HotLayered<L, S>
where
    L: Layer<S> + Send + Sync + 'static,
    L::Service: Clone,
    S: Clone,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.0.provider().0.store.table();
        f.debug_struct("HotLayered")
            .field("current", &table.primary.snapshot().version)
            .field("ready", &self.0.is_armed())
            .finish_non_exhaustive()
    }
}
