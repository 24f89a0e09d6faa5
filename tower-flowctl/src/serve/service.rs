//! A tower service as hyper's.
//!
//! As hyper-util's `TowerToHyperService`, but a service that is ready, as nearly all are at once, is called at once: then the
//! request is not put into the future, to be taken out of it by the first poll.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::server::BoxError;

/// See the module.
pub(super) struct CallAtOnce<S>(pub(super) S);

impl<S, Q> hyper::service::Service<Q> for CallAtOnce<S>
where
    S: Service<Q, Error: Into<BoxError>> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = CallFuture<S, Q>;

    #[inline]
    fn call(&self, request: Q) -> Self::Future {
        let mut service = self.0.clone();
        // Asked without a waker; one that is not ready is asked again by the future.
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => CallFuture::Called {
                future: service.call(request),
            },
            Poll::Ready(Err(error)) => CallFuture::Failed {
                error: Some(error.into()),
            },
            Poll::Pending => {
                let later = TowerToHyperService::new(service);
                let future = Box::pin(hyper::service::Service::call(&later, request));
                CallFuture::Later { future }
            }
        }
    }
}

pin_project! {
    #[project = CallProjection]
    pub(super) enum CallFuture<S: Service<Q>, Q> {
        Called { #[pin] future: S::Future },
        // Boxed, so that the others need no room for a request.
        Later { future: Pin<Box<TowerToHyperServiceFuture<S, Q>>> },
        Failed { error: Option<BoxError> },
    }
}

impl<S, Q> Future for CallFuture<S, Q>
where
    S: Service<Q, Error: Into<BoxError>> + Clone,
{
    type Output = Result<S::Response, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            CallProjection::Called { future } => future.poll(cx).map_err(Into::into),
            CallProjection::Later { future } => future.as_mut().poll(cx).map_err(Into::into),
            CallProjection::Failed { error } => {
                Poll::Ready(Err(error.take().expect("polled after it ended")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        future::{Ready, ready},
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering::Relaxed},
        },
    };

    use hyper::service::Service as _;

    use super::*;

    /// Gives back what it is called with, once it is told to be ready.
    #[derive(Clone, Default)]
    struct Echo(Arc<AtomicBool>);

    impl Service<u32> for Echo {
        type Response = u32;
        type Error = Infallible;
        type Future = Ready<Result<u32, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            match self.0.load(Relaxed) {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            }
        }

        fn call(&mut self, number: u32) -> Self::Future {
            assert!(self.0.load(Relaxed), "called before it was ready");
            ready(Ok(number))
        }
    }

    #[test]
    fn a_service_is_called_once_it_is_ready() {
        let echo = Echo::default();
        let service = CallAtOnce(echo.clone());
        let mut cx = Context::from_waker(Waker::noop());
        let mut early = pin!(service.call(1));
        assert!(early.as_mut().poll(&mut cx).is_pending());
        echo.0.store(true, Relaxed);
        assert!(matches!(early.poll(&mut cx), Poll::Ready(Ok(1))));
        let at_once = service.call(2);
        assert!(matches!(at_once, CallFuture::Called { .. }));
        assert!(matches!(pin!(at_once).poll(&mut cx), Poll::Ready(Ok(2))));
    }
}
