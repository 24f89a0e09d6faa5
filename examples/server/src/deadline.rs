//! 408 for a request that is not answered in time.
//!
//! As tower-http's `TimeoutLayer`, but the timer is set when an answer does not come at once. Most come at once, and a timer in
//! tokio's wheel is a lock and, when it is the next to ring, a system call that wakes whoever sleeps until then. So the time counts
//! from where the request first waits for something; what it computes before, no timer could interrupt.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower::{Layer, Service};

/// Limits the time until a response begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeadlineLayer(pub(crate) Duration);

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline {
            inner,
            patience: self.0,
        }
    }
}

/// The service of [`DeadlineLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Deadline<S> {
    inner: S,
    patience: Duration,
}

impl<S, Q, B> Service<Q> for Deadline<S>
where
    S: Service<Q, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Q) -> Self::Future {
        DeadlineFuture {
            inner: self.inner.call(request),
            patience: self.patience,
            timer: None,
        }
    }
}

pin_project! {
    pub(crate) struct DeadlineFuture<F> {
        #[pin]
        inner: F,
        patience: Duration,
        // Boxed, as it is large, and seldom there.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F, B, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(answer) = this.inner.poll(context) {
            return Poll::Ready(answer);
        }
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(sleep(*this.patience)));
        timer.as_mut().poll(context).map(|()| {
            let mut response = Response::new(B::default());
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use tokio::task::yield_now;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// The status of a request that takes as long as `work`.
    async fn status(patience: Duration, work: impl Future<Output = ()>) -> StatusCode {
        let inner = service_fn(async |work| {
            Pin::from(work).await;
            Ok::<_, Infallible>(Response::new(()))
        });
        let work: Box<dyn Future<Output = ()> + '_> = Box::new(work);
        let Ok(response) = DeadlineLayer(patience).layer(inner).oneshot(work).await;
        response.status()
    }

    #[tokio::test]
    async fn only_what_comes_too_late_is_answered_in_its_place() {
        let hour = Duration::from_secs(3600);
        assert_eq!(status(Duration::ZERO, async {}).await, StatusCode::OK);
        assert_eq!(status(hour, yield_now()).await, StatusCode::OK);
        let late = status(Duration::from_millis(1), pending()).await;
        assert_eq!(late, StatusCode::REQUEST_TIMEOUT);
    }
}
