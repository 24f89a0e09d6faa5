use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Request;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Breaker, Degrade, Refuse, Shed, layer::Place, route::Route};

/// The service of [`BreakerLayer`](super::BreakerLayer).
///
/// The time until the inner future is ready is the request's latency: until the response's head, without the time that its body
/// takes. If the future is dropped before, the time until then counts if it is longer than the baseline. The service is ready
/// when the inner service and the one that answers in its place are.
#[derive(Clone, Debug)]
pub struct BreakerService<S, D = Refuse> {
    pub(super) inner: S,
    /// Behind one count, since a service is cloned for each request.
    pub(super) place: Arc<Place>,
    pub(super) degrade: D,
    pub(super) shed: Shed,
}

impl<B, S, D> Service<Request<B>> for BreakerService<S, D>
where
    S: Service<Request<B>>,
    D: Degrade<B, S>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BreakerFuture<S::Future, D::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        ready!(self.inner.poll_ready(cx))?;
        self.degrade.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(route) = self.place.route(request.extensions()) else {
            return BreakerFuture::passed(self.inner.call(request), None);
        };
        let breaker = &self.place.breaker;
        let begun = breaker.now();
        if !breaker.admits(&route, begun) && self.shed.takes(request.headers()) {
            route.count_degraded();
            let retry_after = breaker.retry_after(&route, begun);
            return BreakerFuture::degraded(self.degrade.degrade(request, retry_after));
        }
        route.count_passed();
        let timer = Timer {
            breaker: breaker.clone(),
            route,
            begun,
            answered: false,
        };
        BreakerFuture::passed(self.inner.call(request), Some(timer))
    }
}

/// Takes down the latency when it is dropped. A client that gave up would have waited that long at least: which says something
/// if it was long, and nothing if it was not.
#[derive(Debug)]
struct Timer {
    breaker: Breaker,
    route: Arc<Route>,
    /// By the breaker's clock.
    begun: u64,
    answered: bool,
}

impl Drop for Timer {
    fn drop(&mut self) {
        if self.answered
            || self
                .route
                .is_above_baseline(self.breaker.elapsed(self.begun))
        {
            self.breaker.record(&self.route, self.begun);
        }
    }
}

pin_project! {
    /// The future of [`BreakerService`].
    #[derive(Debug)]
    pub struct BreakerFuture<F, D> {
        #[pin]
        answer: Answer<F, D>,
        timer: Option<Timer>,
    }
}

pin_project! {
    #[project = AnswerProjection]
    #[derive(Debug)]
    enum Answer<F, D> {
        Passed { #[pin] answer: F },
        Degraded { #[pin] answer: D },
    }
}

impl<F, D> BreakerFuture<F, D> {
    fn passed(answer: F, timer: Option<Timer>) -> Self {
        Self {
            answer: Answer::Passed { answer },
            timer,
        }
    }

    fn degraded(answer: D) -> Self {
        Self {
            answer: Answer::Degraded { answer },
            timer: None,
        }
    }
}

impl<F, D, T, E> Future for BreakerFuture<F, D>
where
    F: Future<Output = Result<T, E>>,
    D: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.answer.project() {
            AnswerProjection::Passed { answer } => ready!(answer.poll(cx)),
            AnswerProjection::Degraded { answer } => ready!(answer.poll(cx)),
        };
        if let Some(mut timer) = this.timer.take() {
            timer.answered = true;
        }
        Poll::Ready(result)
    }
}
