//! The layer, its service and its future.

use std::{
    any::type_name,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Reset,
    current::{Erased, Scope},
};
use crate::{
    depot::{Depot, Extra, Setup},
    raw::shared::{Lease, Root},
};

/// Contexts kept for later, by thread, at most.
const IDLE: usize = 1024;

/// Nothing to do around the depot of a context pool.
struct Contexts;

impl<T> Extra<T> for Contexts {
    fn came_home(&self) {}
}

/// Gives each request a `C`. See the [module](super).
pub struct ContextLayer<C> {
    pool: Root<Erased, Contexts>,
    kind: PhantomData<fn() -> C>,
}

impl<C: Default + Reset + Send + Sync + 'static> ContextLayer<C> {
    /// A layer with a pool of its own, which its clones and services share.
    #[must_use]
    pub fn new() -> Self {
        let lanes = std::thread::available_parallelism().map_or(4, |cores| 2 * cores.get());
        let setup = Setup {
            lanes,
            costs: Box::new([1]),
            limit: usize::MAX,
            lane_ceiling: IDLE,
            hand_ceiling: IDLE,
        };
        let pool = Depot::build(setup, Contexts);
        Self {
            pool,
            kind: PhantomData,
        }
    }
}

impl<C: Default + Reset + Send + Sync + 'static> Default for ContextLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for ContextLayer<C> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            kind: PhantomData,
        }
    }
}

impl<C, S> Layer<S> for ContextLayer<C> {
    type Service = ContextService<C, S>;

    fn layer(&self, inner: S) -> Self::Service {
        ContextService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`ContextLayer`].
pub struct ContextService<C, S> {
    inner: S,
    layer: ContextLayer<C>,
}

impl<C, S: Clone> Clone for ContextService<C, S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<C, S, R> Service<R> for ContextService<C, S>
where
    C: Default + Reset + Send + Sync + 'static,
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ContextFuture<C, S::Future>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let mut held = Held::<C>::acquire(&self.layer.pool);
        let scope = Scope::enter(&mut held.context);
        let inner = self.inner.call(request);
        drop(scope);
        ContextFuture { inner, held }
    }
}

/// A context that is out, and the lease to bring it home with.
struct Held<C: Reset + 'static> {
    context: Option<Erased>,
    lease: Option<Lease<Erased, Contexts>>,
    kind: PhantomData<fn() -> C>,
}

impl<C: Default + Reset + Send + Sync + 'static> Held<C> {
    fn acquire(pool: &Root<Erased, Contexts>) -> Self {
        // The pool has no limit and is never closed: a refusal would only mean a fresh context.
        let (lease, context) = match Depot::take(pool, 0) {
            Ok((lease, context)) => (Some(lease), context),
            Err(_) => (None, None),
        };
        let context = context.unwrap_or_else(|| Arc::new(C::default()));
        Self {
            context: Some(context),
            lease,
            kind: PhantomData,
        }
    }
}

impl<C: Reset + 'static> Drop for Held<C> {
    fn drop(&mut self) {
        let (Some(mut context), Some(lease)) = (self.context.take(), self.lease.take()) else {
            return;
        };
        match Arc::get_mut(&mut context).and_then(|context| context.downcast_mut::<C>()) {
            Some(value) => {
                value.reset();
                Depot::give(lease, 0, context);
            }
            // Somebody still reads it: it goes with the last reader.
            None => Depot::give_nothing(lease, Some(0), 1),
        }
    }
}

pin_project! {
    /// The future of [`ContextService`].
    ///
    /// # Cancellation
    /// Dropping it drops the inner future, then brings the context home; code that runs when the inner
    /// future is dropped does not see the context on the stack.
    #[must_use = "futures do nothing unless polled"]
    pub struct ContextFuture<C, F>
    where
        C: Reset,
        C: 'static,
    {
        #[pin]
        inner: F,
        held: Held<C>,
    }
}

impl<C: Reset + 'static, F: Future> Future for ContextFuture<C, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _scope = Scope::enter(&mut this.held.context);
        this.inner.poll(cx)
    }
}

impl<C> fmt::Debug for ContextLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContextLayer<{}>", type_name::<C>())
    }
}

impl<C, S: fmt::Debug> fmt::Debug for ContextService<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextService")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}

impl<C: Reset, F: fmt::Debug> fmt::Debug for ContextFuture<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextFuture")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
