use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::{
    Limiter,
    limiter::{Entry, Permit},
    state::{Decided, Waiter},
};
use crate::unavailable::unavailable;

/// The service of [`AdaptiveLimitLayer`](super::AdaptiveLimitLayer).
///
/// A request waits in its future, not in `poll_ready`: a queue that is served newest first must hold the requests, and axum
/// asks a clone for readiness that it then drops. `poll_ready` is the inner service's. What finds no place is
/// answered with 503. A request's latency, by which the limit is adjusted, is the time until the response's head. One that
/// fails, or is answered with 4xx or 5xx, counts only if it took longer than requests do without load: otherwise nobody did its
/// work, and a backend that is down would be taken for one that is fast.
///
/// # Cancellation
/// A future that is dropped leaves the queue, or gives its place back. Its latency counts as that of a failure does.
#[derive(Clone, Debug)]
pub struct AdaptiveLimit<S> {
    pub(super) inner: S,
    pub(super) limiter: Limiter,
}

impl<S, B, R> Service<Request<B>> for AdaptiveLimit<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = AdaptiveLimitFuture<S, Request<B>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let state = match self.limiter.enter() {
            Entry::Granted(permit) => State::Running {
                response: self.inner.call(request),
                permit: Some(permit),
            },
            Entry::Wait { place, until } => {
                // The one that is ready goes into the future, and a clone takes its place.
                let clone = self.inner.clone();
                let service = std::mem::replace(&mut self.inner, clone);
                State::Waiting {
                    waiting: Box::pin(Waiting {
                        timer: sleep_until(until),
                        place,
                        call: Some((service, request)),
                    }),
                }
            }
            Entry::Rejected => State::Rejected,
        };
        AdaptiveLimitFuture { state }
    }
}

/// Whether nobody need have done a request's work.
fn has_failed(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// In how many seconds those who are turned away should come back. An overload that a queue could not take lasts longer than
/// a client's first retry would wait.
const RETRY_AFTER: u64 = 1;

pin_project! {
    /// The future of [`AdaptiveLimit`].
    pub struct AdaptiveLimitFuture<S: Service<Q>, Q> {
        #[pin]
        state: State<S, Q>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Q>, Q> {
        // Boxed, since it is seldom, and larger than the rest.
        Waiting { waiting: Pin<Box<Waiting<S, Q>>> },
        Running {
            #[pin]
            response: S::Future,
            permit: Option<Permit>,
        },
        Rejected,
    }
}

pin_project! {
    /// A request in the queue.
    struct Waiting<S, Q> {
        #[pin]
        timer: Sleep,
        place: Place,
        call: Option<(S, Q)>,
    }
}

/// A place in the queue. Dropping it leaves the queue.
pub(super) struct Place {
    limiter: Limiter,
    /// `None` once it is left in order.
    waiter: Option<Arc<Waiter>>,
    /// Whether it was given more time already.
    held_up: bool,
}

impl Place {
    pub(super) fn new(limiter: Limiter, waiter: Arc<Waiter>) -> Self {
        Self {
            limiter,
            waiter: Some(waiter),
            held_up: false,
        }
    }

    /// Whether it is decided; the permit if it is granted.
    fn poll(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<Option<Permit>> {
        let Some(waiter) = &self.waiter else {
            return Poll::Ready(None);
        };
        let mut decided = waiter.poll(cx.waker());
        if decided == Decided::Waiting {
            ready!(timer.as_mut().poll(cx));
            let more = match self.held_up {
                true => None,
                false => self.limiter.held_up(timer.deadline()),
            };
            if let Some(until) = more {
                self.held_up = true;
                timer.as_mut().reset(until);
                ready!(timer.poll(cx));
            }
            // Once, even if that panics.
            if let Some(waiter) = self.waiter.take() {
                decided = self.limiter.give_up(&waiter);
            }
        }
        self.waiter = None;
        Poll::Ready((decided == Decided::Granted).then(|| self.limiter.permit(Instant::now())))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take()
            && self.limiter.give_up(&waiter) == Decided::Granted
        {
            self.limiter.give_back();
        }
    }
}

impl<S, Q, R> Future for AdaptiveLimitFuture<S, Q>
where
    S: Service<Q, Response = Response<R>>,
    R: Default,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Waiting { waiting } => {
                    let waiting = waiting.as_mut().project();
                    match (
                        ready!(waiting.place.poll(waiting.timer, cx)),
                        waiting.call.take(),
                    ) {
                        (Some(permit), Some((mut service, request))) => State::Running {
                            response: service.call(request),
                            permit: Some(permit),
                        },
                        _ => State::Rejected,
                    }
                }
                StateProjection::Running { response, permit } => {
                    let result = ready!(response.poll(cx));
                    let early = result
                        .as_ref()
                        .map_or(true, |response| has_failed(response.status()));
                    if let Some(permit) = permit.take()
                        && !early
                    {
                        permit.answered();
                    }
                    return Poll::Ready(result);
                }
                StateProjection::Rejected => return Poll::Ready(Ok(unavailable(RETRY_AFTER))),
            };
            state.set(next);
        }
    }
}

impl<S: Service<Q>, Q> fmt::Debug for AdaptiveLimitFuture<S, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting { .. } => "waiting",
            State::Running { .. } => "running",
            State::Rejected => "rejected",
        };
        f.debug_tuple("AdaptiveLimitFuture").field(&state).finish()
    }
}
