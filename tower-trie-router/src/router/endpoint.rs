//! What a route leads to, with its type erased.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::future::RouteFuture;

/// A response that is on its way.
pub(crate) type BoxAnswer<R> = Pin<Box<dyn Future<Output = Response<R>> + Send>>;

/// What an endpoint gives back: a response at once, which costs no box, or one on its way.
pub(crate) enum Answer<R> {
    Now(Option<Response<R>>),
    Later(BoxAnswer<R>),
}

/// What of the router's traces in a request somebody behind an endpoint can see.
///
/// What nobody can see is not left there, which saves its allocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sees {
    pub(crate) route_match: bool,
    pub(crate) matched_path: bool,
    /// The URI, which nesting rewrites, and what tells of the nesting.
    pub(crate) uri: bool,
}

impl Sees {
    pub(crate) const ALL: Self = Self {
        route_match: true,
        matched_path: true,
        uri: true,
    };
}

/// An endpoint: anything that answers a request.
pub(crate) trait Endpoint<B, R>: Send + Sync {
    fn call(&self, request: Request<B>) -> Answer<R>;

    fn sees(&self) -> Sees {
        Sees::ALL
    }
}

/// The endpoint of a route, its type erased: what a [`Layer`](tower_layer::Layer) given to a
/// router wraps. A clone is one reference count.
pub struct Route<B, R> {
    pub(crate) endpoint: Arc<dyn Endpoint<B, R>>,
}

impl<B, R> Route<B, R> {
    pub(crate) fn new(endpoint: impl Endpoint<B, R> + 'static) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
        }
    }

    /// The route to a service.
    pub(crate) fn from_service<S>(service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<R>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: Send + 'static,
        R: Send + 'static,
    {
        Self::new(ServiceEndpoint(service))
    }
}

impl<B, R> Clone for Route<B, R> {
    fn clone(&self) -> Self {
        Self {
            endpoint: Arc::clone(&self.endpoint),
        }
    }
}

impl<B, R> fmt::Debug for Route<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").finish_non_exhaustive()
    }
}

/// Always ready: a service behind the route is cloned for each request. A clone that is ready is called
/// at once; one that is not is driven to readiness inside the future.
impl<B, R: Body + Default> Service<Request<B>> for Route<B, R> {
    type Response = Response<R>;
    type Error = Infallible;
    type Future = RouteFuture<R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> RouteFuture<R> {
        RouteFuture::plain(self.endpoint.call(request))
    }
}

/// A service as an endpoint.
struct ServiceEndpoint<S>(S);

impl<S, B, R> Endpoint<B, R> for ServiceEndpoint<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Send + 'static,
{
    fn call(&self, request: Request<B>) -> Answer<R> {
        call_once(self.0.clone(), request, |answer| match answer {
            Ok(response) => response,
            Err(never) => match never {},
        })
    }
}

/// Calls a service that is thrown away afterwards.
///
/// Nearly every service is ready at once, and is called here: then the request does not go into the box, to be taken out of it
/// by the first poll. One that is not ready, which is asked without a waker, is asked again by the future.
#[inline]
pub(crate) fn call_once<S, Q, R, M>(mut service: S, request: Q, map: M) -> Answer<R>
where
    S: Service<Q> + Send + 'static,
    S::Future: Send + 'static,
    Q: Send + 'static,
    M: Fn(Result<S::Response, S::Error>) -> Response<R> + Send + 'static,
{
    match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) => {
            let call = service.call(request);
            Answer::Later(Box::pin(Mapped { call, map }))
        }
        Poll::Ready(Err(error)) => Answer::Now(Some(map(Err(error)))),
        Poll::Pending => {
            let call = Oneshot::new(service, request);
            Answer::Later(Box::pin(Mapped { call, map }))
        }
    }
}

pin_project! {
    /// A call, and what is made of its result. An async block would move the call once more.
    struct Mapped<F, M> {
        #[pin]
        call: F,
        map: M,
    }
}

impl<F, M, T> Future for Mapped<F, M>
where
    F: Future,
    M: Fn(F::Output) -> T,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.project();
        this.call.poll(cx).map(this.map)
    }
}

pin_project! {
    /// Drives a service to readiness and calls it once.
    #[project = OneshotProjection]
    enum Oneshot<S: Service<Q>, Q> {
        Waiting { service: S, request: Option<Q> },
        Called { #[pin] future: S::Future },
    }
}

impl<S: Service<Q>, Q> Oneshot<S, Q> {
    fn new(service: S, request: Q) -> Self {
        Self::Waiting {
            service,
            request: Some(request),
        }
    }
}

impl<S: Service<Q>, Q> Future for Oneshot<S, Q> {
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                OneshotProjection::Waiting { service, request } => {
                    std::task::ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("the request is taken once");
                    let future = service.call(request);
                    self.set(Self::Called { future });
                }
                OneshotProjection::Called { future } => return future.poll(cx),
            }
        }
    }
}
