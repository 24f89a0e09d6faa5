//! The layer around everything that answers requests.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::abort::Abort;
use super::access_log::{AccessLogger, Line};
use super::body;
use super::end::End;
use super::otlp::{Span, Tracer};
use super::request_id::{self, REQUEST_ID};
use super::trace_context::Propagation;
use super::traffic::{RouteTraffic, Traffic};
use crate::facts;

/// Counts, times and logs requests, and gives each an id.
#[derive(Debug, Clone)]
pub(crate) struct ObserveLayer {
    pub(crate) traffic: Arc<Traffic>,
    /// Where requests without a route are counted.
    pub(crate) unmatched: Arc<RouteTraffic>,
    pub(crate) log: AccessLogger,
    pub(crate) tracer: Option<Tracer>,
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe {
            inner,
            layer: Arc::new(self.clone()),
        }
    }
}

/// The service of [`ObserveLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Observe<S> {
    inner: S,
    layer: Arc<ObserveLayer>,
}

impl<S, A> Service<Request<A>> for Observe<S>
where
    S: Service<Request<A>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ObserveFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (id, number) = request_id::of(request.headers());
        let span = self.layer.tracer.as_ref().and_then(|tracer| {
            let (headers, method) = (request.headers(), request.method());
            let span = tracer.begin(headers, method, request.uri().path());
            span.map(Box::new)
        });
        let peer = facts::begin(Propagation {
            id: number,
            span: span.as_ref().map(|span| span.context()),
            is_root: span.as_ref().is_some_and(|span| span.is_root()),
        });
        let line = self.layer.log.wanted();
        let line = line.then(|| Box::new(Line::of(&request, peer)));
        self.layer.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        let has_body = request.method() != Method::HEAD;
        // What the call itself takes counts.
        let started = Instant::now();
        ObserveFuture {
            inner: self.inner.call(request),
            seen: Seen {
                layer: self.layer.clone(),
                started,
                id,
                route: None,
                line,
                span,
                has_body,
                is_answered: false,
            },
        }
    }
}

/// What is kept until the response; dropping it ends the request, answered or not.
struct Seen {
    layer: Arc<ObserveLayer>,
    started: Instant,
    id: HeaderValue,
    /// Once it is known, and the response is not there yet.
    route: Option<Arc<RouteTraffic>>,
    // Boxed, as a future is moved as a whole into each that is around it, and both are large and not always there.
    line: Option<Box<Line>>,
    span: Option<Box<Span>>,
    /// Whether the body of the response is sent.
    has_body: bool,
    is_answered: bool,
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.layer.traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.is_answered {
            self.abandon();
        }
    }
}

impl Seen {
    /// Nobody waits for the response any more.
    #[cold]
    fn abandon(&mut self) {
        let route = self.route.as_ref().unwrap_or(&self.layer.unmatched);
        route.record_abort(Abort::Head);
        let end = End {
            layer: self.layer.clone(),
            route: self.route.take(),
            status: None,
            started: self.started,
            elapsed: self.started.elapsed(),
            id: self.take_id(),
            line: self.line.take(),
            span: self.span.take(),
        };
        end.write(Some(0), Some(Abort::Head));
    }

    /// Counts the response, and has the rest written: now, or when its body has ended if that will take a while.
    fn answer(&mut self, mut response: Response<Body>) -> Response<Body> {
        self.is_answered = true;
        let elapsed = self.started.elapsed();
        let status = response.status();
        let route = self.route.take().or_else(facts::take_route);
        let counters = route.as_deref().unwrap_or(&self.layer.unmatched);
        counters.record(status, elapsed);
        if let Some(span) = &self.span {
            counters.note(span.context().trace, elapsed);
        }
        let is_long = self.has_body && body::is_long(&response);
        let mut id = self.take_id();
        if is_long || self.line.is_some() || self.span.is_some() {
            let end = End {
                layer: self.layer.clone(),
                route,
                status: Some(status),
                started: self.started,
                elapsed,
                id,
                line: self.line.take(),
                span: self.span.take(),
            };
            if is_long {
                id = end.id.clone();
                response = body::watch(response, end);
            } else {
                let bytes = response.body().size_hint().exact();
                id = end.write(bytes, None);
            }
        }
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }

    /// To clone it would make it a shared one first.
    fn take_id(&mut self) -> HeaderValue {
        std::mem::replace(&mut self.id, HeaderValue::from_static(""))
    }
}

pin_project! {
    pub(crate) struct ObserveFuture<F> {
        #[pin]
        inner: F,
        seen: Seen,
    }
}

impl<F> Future for ObserveFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.inner.poll(context) {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(this.seen.answer(response))),
            Poll::Pending => {
                // Who drops this future does so outside of the context.
                if this.seen.route.is_none() {
                    this.seen.route = facts::take_route();
                }
                Poll::Pending
            }
        }
    }
}
