//! Handlers and services of axum as endpoints, their types erased once.

use std::{
    any::Any,
    convert::Infallible,
    future::{Future, Ready},
    marker::PhantomData,
    sync::Arc,
};

use axum::{
    body::Body,
    extract::Request,
    handler::Handler,
    response::{IntoResponse, Response},
};
use tower_service::Service;

use super::sees;
use crate::router::{Answer, BoxAnswer, Endpoint, Route, Sees, call_once};

/// A route with axum's bodies: what a layer given to a [`TrieRouter`](crate::TrieRouter) wraps.
pub(crate) type Erased = Route<Body, Body>;

/// What a route leads to: something that answers, or a handler that waits for its state.
pub(crate) enum Target<S> {
    Ready(Erased),
    Waiting(Arc<dyn Waiting<S>>),
}

/// A handler that waits for its state.
pub(crate) trait Waiting<S>: Send + Sync {
    fn with_state(&self, state: &S) -> Erased;
}

impl<S> Clone for Target<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Ready(route) => Self::Ready(route.clone()),
            Self::Waiting(waiting) => Self::Waiting(Arc::clone(waiting)),
        }
    }
}

impl<S> Target<S>
where
    S: Clone + Send + Sync + 'static,
{
    pub(crate) fn handler<H, T>(handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self::Waiting(Arc::new(WaitingHandler {
            handler,
            extractors: PhantomData,
        }))
    }

    pub(crate) fn service<V>(service: V) -> Self
    where
        V: Service<Request> + Clone + Send + Sync + 'static,
        V::Response: IntoResponse,
        V::Error: Into<Infallible>,
        V::Future: Send + 'static,
    {
        Self::Ready(route_of(service))
    }

    pub(crate) fn with_state(self, state: &S) -> Erased {
        match self {
            Self::Ready(route) => route,
            Self::Waiting(waiting) => waiting.with_state(state),
        }
    }

    /// The same target behind what `wrap` puts around it, once it has its state.
    pub(crate) fn wrap(self, wrap: &Arc<Wrap>) -> Self {
        match self {
            Self::Ready(route) => Self::Ready(wrap(route)),
            Self::Waiting(inner) => Self::Waiting(Arc::new(Wrapped {
                inner,
                wrap: Arc::clone(wrap),
            })),
        }
    }
}

/// Puts something around a route.
pub(crate) type Wrap = dyn Fn(Erased) -> Erased + Send + Sync;

struct Wrapped<S> {
    inner: Arc<dyn Waiting<S>>,
    wrap: Arc<Wrap>,
}

impl<S> Waiting<S> for Wrapped<S> {
    fn with_state(&self, state: &S) -> Erased {
        (self.wrap)(self.inner.with_state(state))
    }
}

struct WaitingHandler<H, T> {
    handler: H,
    extractors: PhantomData<fn() -> T>,
}

impl<H, T, S> Waiting<S> for WaitingHandler<H, T>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    fn with_state(&self, state: &S) -> Erased {
        Route::new(HandlerEndpoint {
            handler: self.handler.clone(),
            state: state.clone(),
            sees: sees::handler::<H, T>(),
            extractors: PhantomData,
        })
    }
}

/// A handler with its state.
struct HandlerEndpoint<H, T, S> {
    handler: H,
    state: S,
    sees: Sees,
    extractors: PhantomData<fn() -> T>,
}

impl<H, T, S> Endpoint<Body, Body> for HandlerEndpoint<H, T, S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    fn call(&self, request: Request) -> Answer<Body> {
        erase(self.handler.clone().call(request, self.state.clone()))
    }

    fn sees(&self) -> Sees {
        self.sees
    }
}

/// The future of a handler as an answer: that of a function is boxed already and is not boxed
/// again, that of a constant is there already and needs no box.
fn erase<F>(future: F) -> Answer<Body>
where
    F: Future<Output = Response> + Send + 'static,
{
    let mut future = Some(future);
    let any: &mut dyn Any = &mut future;
    if let Some(boxed) = any.downcast_mut::<Option<BoxAnswer<Body>>>() {
        return Answer::Later(boxed.take().expect("it was put there above"));
    }
    if let Some(ready) = any.downcast_mut::<Option<Ready<Response>>>() {
        return Answer::Now(ready.take().map(Ready::into_inner));
    }
    Answer::Later(Box::pin(future.take().expect("it was put there above")))
}

/// The route to a service whose responses become axum's.
pub(crate) fn route_of<V>(service: V) -> Erased
where
    V: Service<Request> + Clone + Send + Sync + 'static,
    V::Response: IntoResponse,
    V::Error: Into<Infallible>,
    V::Future: Send + 'static,
{
    seeing(Sees::ALL, service)
}

/// As [`route_of`], with what the service can see.
pub(crate) fn seeing<V>(sees: Sees, service: V) -> Erased
where
    V: Service<Request> + Clone + Send + Sync + 'static,
    V::Response: IntoResponse,
    V::Error: Into<Infallible>,
    V::Future: Send + 'static,
{
    Route::new(ServiceEndpoint { service, sees })
}

struct ServiceEndpoint<V> {
    service: V,
    sees: Sees,
}

impl<V> Endpoint<Body, Body> for ServiceEndpoint<V>
where
    V: Service<Request> + Clone + Send + Sync + 'static,
    V::Response: IntoResponse,
    V::Error: Into<Infallible>,
    V::Future: Send + 'static,
{
    fn call(&self, request: Request) -> Answer<Body> {
        call_once(self.service.clone(), request, |answer| match answer {
            Ok(response) => response.into_response(),
            Err(error) => match error.into() {},
        })
    }

    fn sees(&self) -> Sees {
        self.sees
    }
}
