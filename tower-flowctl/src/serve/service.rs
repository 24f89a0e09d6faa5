//! A tower service as hyper's.
//!
//! As hyper-util's `TowerToHyperService`, but over HTTP/1 a service that is ready, as nearly all are at once, is called at once:
//! then the request is not put into the future, to be taken out of it by the first poll. HTTP/2 requests are called by the
//! first poll always, since that happens where [`Exec`](super::Exec) has it happen: a call that panics ends its own stream,
//! and one that computes keeps its own task busy, where it has one.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use http::{Request, Version};
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::server::BoxError;

/// See the module.
pub(super) struct CallAtOnce<S>(pub(super) S);

impl<S, B> hyper::service::Service<Request<B>> for CallAtOnce<S>
where
    S: Service<Request<B>, Error: Into<BoxError>> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = CallFuture<S, Request<B>>;

    #[inline]
    fn call(&self, request: Request<B>) -> Self::Future {
        let mut service = self.0.clone();
        if request.version() == Version::HTTP_2 {
            return CallFuture::later(service, request);
        }
        // Asked without a waker; one that is not ready is asked again by the future.
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => CallFuture::Called {
                future: service.call(request),
            },
            Poll::Ready(Err(error)) => CallFuture::Failed {
                error: Some(error.into()),
            },
            Poll::Pending => CallFuture::later(service, request),
        }
    }
}

pin_project! {
    #[project = CallProjection]
    pub(super) enum CallFuture<S: Service<Q>, Q> {
        Called { #[pin] future: S::Future },
        Later { #[pin] future: TowerToHyperServiceFuture<S, Q> },
        Failed { error: Option<BoxError> },
    }
}

impl<S, Q> CallFuture<S, Q>
where
    S: Service<Q> + Clone,
{
    fn later(service: S, request: Q) -> Self {
        let service = TowerToHyperService::new(service);
        Self::Later {
            future: hyper::service::Service::call(&service, request),
        }
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
            CallProjection::Later { future } => future.poll(cx).map_err(Into::into),
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

    use http::Response;
    use hyper::service::Service as _;

    use super::*;

    /// Gives back the number it is called with, once it is told to be ready.
    #[derive(Clone, Default)]
    struct Echo(Arc<AtomicBool>);

    impl Service<Request<u32>> for Echo {
        type Response = Response<u32>;
        type Error = Infallible;
        type Future = Ready<Result<Response<u32>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            match self.0.load(Relaxed) {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            }
        }

        fn call(&mut self, request: Request<u32>) -> Self::Future {
            assert!(self.0.load(Relaxed), "called before it was ready");
            ready(Ok(Response::new(request.into_body())))
        }
    }

    fn number(polled: Poll<Result<Response<u32>, BoxError>>) -> Option<u32> {
        match polled {
            Poll::Ready(response) => Some(response.unwrap().into_body()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_service_is_called_once_it_is_ready() {
        let echo = Echo::default();
        let service = CallAtOnce(echo.clone());
        let mut cx = Context::from_waker(Waker::noop());
        let mut early = pin!(service.call(Request::new(1)));
        assert_eq!(number(early.as_mut().poll(&mut cx)), None);
        echo.0.store(true, Relaxed);
        assert_eq!(number(early.poll(&mut cx)), Some(1));
        let at_once = service.call(Request::new(2));
        assert!(matches!(at_once, CallFuture::Called { .. }));
        assert_eq!(number(pin!(at_once).poll(&mut cx)), Some(2));
    }

    #[test]
    fn http2_is_called_by_the_first_poll() {
        let service = CallAtOnce(Echo(Arc::new(AtomicBool::new(true))));
        let mut request = Request::new(3);
        *request.version_mut() = Version::HTTP_2;
        let later = service.call(request);
        assert!(matches!(later, CallFuture::Later { .. }));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(number(pin!(later).poll(&mut cx)), Some(3));
    }
}
