use std::sync::{Arc, OnceLock};

use http::Extensions;
use tower_layer::Layer;

use super::{Breaker, BreakerService, Fallback, Refuse, Shed, route::Route};

/// Puts a route under a [`Breaker`].
#[derive(Clone, Debug)]
pub struct BreakerLayer<D = Refuse> {
    breaker: Breaker,
    named: Named,
    degrade: D,
    shed: Shed,
}

/// What says which route a request is on.
#[derive(Clone, Debug)]
pub(super) enum Named {
    /// It is this one.
    Route(Arc<Route>),
    /// The one that its extensions name.
    By(fn(&Extensions) -> Option<&str>),
}

/// Where a service of the layer is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) breaker: Breaker,
    named: Named,
    /// The route of the first request. Where each route has a service of its own it is that of all.
    first: OnceLock<Arc<Route>>,
}

impl Place {
    pub(super) fn route(&self, extensions: &Extensions) -> Option<Arc<Route>> {
        let name = match &self.named {
            Named::Route(route) => return Some(route.clone()),
            Named::By(name) => name(extensions)?,
        };
        let first = self.first.get_or_init(|| self.breaker.route(name));
        Some(match first.name() == name {
            true => first.clone(),
            false => self.breaker.route(name),
        })
    }
}

impl BreakerLayer {
    pub(super) fn new(breaker: Breaker, named: Named) -> Self {
        Self {
            breaker,
            named,
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
            named: self.named,
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
            place: Arc::new(Place {
                breaker: self.breaker.clone(),
                named: self.named.clone(),
                first: OnceLock::new(),
            }),
            degrade: self.degrade.clone(),
            shed: self.shed,
        }
    }
}
