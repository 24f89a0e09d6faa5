use tower_layer::Layer;

use super::{AdaptiveLimit, Limiter};

/// Puts a service under a [`Limiter`].
#[derive(Clone, Debug)]
pub struct AdaptiveLimitLayer {
    limiter: Limiter,
}

impl AdaptiveLimitLayer {
    /// All services that layers of one limiter make share its limit.
    pub fn new(limiter: Limiter) -> Self {
        Self { limiter }
    }
}

impl<S> Layer<S> for AdaptiveLimitLayer {
    type Service = AdaptiveLimit<S>;

    fn layer(&self, inner: S) -> AdaptiveLimit<S> {
        AdaptiveLimit {
            inner,
            limiter: self.limiter.clone(),
        }
    }
}
