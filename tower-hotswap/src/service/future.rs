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
        /// The same while a canary decides by what it sees.
        Observed {
            #[pin]
            future: F,
            observation: Option<Observation>,
        },
        /// The request goes to another generation than the one that was ready. Boxed, since it is seldom.
        Waiting {
            call: Option<Box<(S, Request<B>)>>,
            observation: Option<Observation>,
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
        }
    }

    /// The future of a service that was called while a canary runs.
    pub(super) fn observed(
        future: S::Future,
        in_flight: Option<InFlight>,
        observation: Option<Observation>,
    ) -> Self {
        Self {
            state: State::of(future, observation),
            in_flight,
        }
    }

    pub(super) fn waiting(
        service: S,
        request: Request<B>,
        in_flight: InFlight,
        observation: Option<Observation>,
    ) -> Self {
        let call = Some(Box::new((service, request)));
        Self {
            state: State::Waiting { call, observation },
            in_flight: Some(in_flight),
        }
    }
}

impl<S, B, C> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<C>>,
{
    type Output = Result<Response<HotBody<C>>, S::Error>;

    // A call of its own would copy the response once more.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let loan = InFlight::lend(this.in_flight);
        let polled = this.state.poll(cx);
        drop(loan);
        let response = ready!(polled)?;
        let in_flight = this.in_flight.take();
        Poll::Ready(Ok(response.map(|body| HotBody::new(body, in_flight))))
    }
}

impl<S, B, F> State<S, B, F> {
    fn of(future: F, observation: Option<Observation>) -> Self {
        match observation {
            None => Self::Called { future },
            observation => Self::Observed {
                future,
                observation,
            },
        }
    }
}

impl<S, B, C> State<S, B, S::Future>
where
    S: Service<Request<B>, Response = Response<C>>,
{
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<S::Response, S::Error>> {
        match self.as_mut().project() {
            StateProjection::Called { future } => future.poll(cx),
            _ => self.poll_seldom(cx),
        }
    }

    #[cold]
    fn poll_seldom(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        loop {
            match self.as_mut().project() {
                StateProjection::Called { future } => return future.poll(cx),
                StateProjection::Observed {
                    future,
                    observation,
                } => {
                    let result = ready!(future.poll(cx));
                    let response = result.as_ref();
                    let failed = response.map_or(true, |r| r.status().is_server_error());
                    if let Some(observation) = observation.take() {
                        observation(failed);
                    }
                    return Poll::Ready(result);
                }
                StateProjection::Waiting { call, observation } => {
                    if let Some((service, _)) = call.as_deref_mut()
                        && let Err(error) = ready!(service.poll_ready(cx))
                    {
                        if let Some(observation) = observation.take() {
                            observation(true);
                        }
                        return Poll::Ready(Err(error));
                    }
                    let Some((mut service, request)) = call.take().map(|call| *call) else {
                        // Polled after it was ready with an error.
                        return Poll::Pending;
                    };
                    let observation = observation.take();
                    let future = service.call(request);
                    self.set(Self::of(future, observation));
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "Called",
            State::Observed { .. } => "Observed",
            State::Waiting { .. } => "Waiting",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
