use std::sync::Arc;

use tower_layer::Layer;

use super::{Breaker, BreakerService, Fallback, Refuse, Shed, route::Route};

/// Puts a route under a [`Breaker`].
#[derive(Clone, Debug)]
pub struct BreakerLayer<D = Refuse> {
    breaker: Breaker,
    /// `None`: by axum's `MatchedPath`.
    route: Option<Arc<Route>>,
    degrade: D,
    shed: Shed,
}

impl BreakerLayer {
    pub(super) fn new(breaker: Breaker, route: Option<Arc<Route>>) -> Self {
        Self {
            breaker,
            route,
            degrade: Refuse,
            shed: Shed::All,
        }
    }
}

impl<D> BreakerLayer<D> {
    /// Has another service answer the requests that do not pass.
    pub fn fallback<F>(self, service: F) -> BreakerLayer<Fallback<F>> {
        BreakerLayer {
            breaker: self.breaker,
            route: self.route,
            degrade: Fallback(service),
            shed: self.shed,
        }
    }

    /// Which requests do not pass. Default: all.
    pub fn shed(mut self, shed: Shed) -> Self {
        self.shed = shed;
        self
    }
}

impl<S, D: Clone> Layer<S> for BreakerLayer<D> {
    type Service = BreakerService<S, D>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService {
            inner,
            breaker: self.breaker.clone(),
            route: self.route.clone(),
            degrade: self.degrade.clone(),
            shed: self.shed,
        }
    }
}
