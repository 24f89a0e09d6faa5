//! A tower service as hyper's, whose responses wait for their turn.
//!
//! As hyper-util's `TowerToHyperService`, but over HTTP/1 a service that is ready, as nearly all are at once, is called at once:
//! then the request is not put into the future, to be taken out of it by the first poll. HTTP/2 requests are called by the
//! first poll always, since that happens where [`Exec`](super::Exec) has it happen: a call that panics ends its own stream,
//! and one that computes keeps its own task busy, where it has one.
//!
//! What [`PriorityService`](crate::http2::PriorityService) does elsewhere is done here, without its rules, and without
//! cloning the connection but once for a request.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker, ready},
};

use http::{Request, Response, Version};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::server::BoxError;
use crate::http2::{Connection, PriorityBody, Seat, enter, hear, take_seat};

/// See the module.
pub(super) struct Scheduled<S> {
    pub(super) service: S,
    pub(super) connection: Arc<Connection>,
    /// Whether there was a request.
    pub(super) heard: Arc<AtomicBool>,
}

impl<S, Q, B> hyper::service::Service<Request<Q>> for Scheduled<S>
where
    S: Service<Request<Q>, Response = Response<B>, Error: Into<BoxError>> + Clone,
{
    type Response = Response<PriorityBody<B>>;
    type Error = BoxError;
    type Future = ScheduledFuture<S, Request<Q>>;

    #[inline]
    fn call(&self, mut request: Request<Q>) -> Self::Future {
        self.heard.store(true, Relaxed);
        let mut service = self.service.clone();
        if request.version() == Version::HTTP_2 {
            return ScheduledFuture {
                seat: take_seat(Some(&self.connection), &mut request),
                state: State::later(service, request),
            };
        }
        // Asked without a waker; one that is not ready is asked again by the future.
        let state = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Called {
                future: service.call(request),
            },
            Poll::Ready(Err(error)) => State::Failed {
                error: Some(error.into()),
            },
            Poll::Pending => State::later(service, request),
        };
        ScheduledFuture { seat: None, state }
    }
}

pin_project! {
    pub(super) struct ScheduledFuture<S: Service<Q>, Q> {
        seat: Option<Seat>,
        #[pin]
        state: State<S, Q>,
    }
}

impl<S, Q, B> Future for ScheduledFuture<S, Q>
where
    S: Service<Q, Response = Response<B>, Error: Into<BoxError>>,
{
    type Output = Result<Response<PriorityBody<B>>, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(enter(this.seat, || this.state.poll(cx)))?;
        let seat = this.seat.take();
        if let Some(seat) = &seat {
            hear(seat, None, &response);
        }
        Poll::Ready(Ok(response.map(|body| PriorityBody::new(body, seat))))
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Q>, Q> {
        Later { service: S, request: Option<Q> },
        Called { #[pin] future: S::Future },
        Failed { error: Option<BoxError> },
    }
}

impl<S: Service<Q>, Q> State<S, Q> {
    fn later(service: S, request: Q) -> Self {
        let request = Some(request);
        Self::Later { service, request }
    }
}

impl<S: Service<Q, Error: Into<BoxError>>, Q> State<S, Q> {
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<S::Response, BoxError>> {
        if let StateProjection::Later { service, request } = self.as_mut().project() {
            ready!(service.poll_ready(cx)).map_err(Into::into)?;
            let request = request.take().expect("called only once");
            let future = service.call(request);
            self.set(Self::Called { future });
        }
        match self.project() {
            StateProjection::Called { future } => future.poll(cx).map_err(Into::into),
            StateProjection::Failed { error } => {
                Poll::Ready(Err(error.take().expect("polled after it ended")))
            }
            StateProjection::Later { .. } => unreachable!("it was called above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        future::{Ready, ready},
        pin::pin,
    };

    use hyper::service::Service as _;

    use super::*;
    use crate::http2::Http2Config;

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

    fn number(polled: Poll<Result<Response<PriorityBody<u32>>, BoxError>>) -> Option<u32> {
        match polled {
            Poll::Ready(response) => response.unwrap().into_body().into_inner().ok(),
            Poll::Pending => None,
        }
    }

    fn scheduled(service: Echo) -> Scheduled<Echo> {
        let connection = Arc::new(Connection::new(Http2Config::default()));
        Scheduled {
            service,
            connection,
            heard: Arc::default(),
        }
    }

    #[test]
    fn a_service_is_called_once_it_is_ready() {
        let echo = Echo::default();
        let service = scheduled(echo.clone());
        let mut cx = Context::from_waker(Waker::noop());
        let mut early = pin!(service.call(Request::new(1)));
        assert_eq!(number(early.as_mut().poll(&mut cx)), None);
        echo.0.store(true, Relaxed);
        assert_eq!(number(early.poll(&mut cx)), Some(1));
        let at_once = service.call(Request::new(2));
        assert!(matches!(at_once.state, State::Called { .. }));
        assert_eq!(number(pin!(at_once).poll(&mut cx)), Some(2));
    }

    #[test]
    fn http2_is_called_by_the_first_poll() {
        let service = scheduled(Echo(Arc::new(AtomicBool::new(true))));
        let mut request = Request::new(3);
        *request.version_mut() = Version::HTTP_2;
        let later = service.call(request);
        assert!(matches!(later.state, State::Later { .. }));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(number(pin!(later).poll(&mut cx)), Some(3));
    }
}
