//! The response of a generation.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::HotBody;
use crate::InFlight;

pin_project! {
    /// The future of [`HotSwap`](super::HotSwap) and [`HotLayered`](crate::HotLayered).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
        in_flight: Option<InFlight>,
        observation: Option<Observation>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F> {
        /// The generation was ready when the request came.
        Called {
            #[pin]
            future: F,
        },
        /// The request goes to another generation than the one that was ready. Boxed, since it is seldom.
        Waiting {
            call: Option<Box<(S, Request<B>)>>,
        },
    }
}

/// Records, for an automatic canary, whether the answer was a failure.
pub(super) type Observation = Box<dyn FnOnce(bool) + Send>;

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    /// The future of a service that was called, with the mark of its request.
    #[inline(always)]
    pub(super) fn called(future: S::Future, in_flight: Option<InFlight>) -> Self {
        Self {
            state: State::Called { future },
            in_flight,
            observation: None,
        }
    }

    pub(super) fn waiting(service: S, request: Request<B>, in_flight: InFlight) -> Self {
        let call = Some(Box::new((service, request)));
        Self {
            state: State::Waiting { call },
            in_flight: Some(in_flight),
            observation: None,
        }
    }

    pub(super) fn observed(mut self, observation: Option<Observation>) -> Self {
        self.observation = observation;
        self
    }
}

impl<S, B, C> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<C>>,
{
    type Output = Result<Response<HotBody<C>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let loan = InFlight::lend(this.in_flight);
        let polled = this.state.poll(cx);
        drop(loan);
        let failed = match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(response)) => response.status().is_server_error(),
            Poll::Ready(Err(_)) => true,
        };
        if let Some(observation) = this.observation.take() {
            observation(failed);
        }
        let in_flight = this.in_flight.take();
        polled.map_ok(|response| response.map(|body| HotBody::new(body, in_flight)))
    }
}

impl<S, B> State<S, B, S::Future>
where
    S: Service<Request<B>>,
{
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<S::Response, S::Error>> {
        loop {
            match self.as_mut().project() {
                StateProjection::Called { future } => return future.poll(cx),
                StateProjection::Waiting { call } => {
                    if let Some((service, _)) = call.as_deref_mut() {
                        ready!(service.poll_ready(cx))?;
                    }
                    let Some((mut service, request)) = call.take().map(|call| *call) else {
                        // Polled after it was ready with an error.
                        return Poll::Pending;
                    };
                    let future = service.call(request);
                    self.set(Self::Called { future });
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "Called",
            State::Waiting { .. } => "Waiting",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
