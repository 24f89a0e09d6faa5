//! The layer around everything that answers requests.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderValue, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tower_pool::context;

use super::access_log::{AccessLogger, Line};
use super::otlp::{Span, Tracer};
use super::request_id::{self, REQUEST_ID};
use super::traffic::{RouteTraffic, Traffic};
use crate::facts::{self, Facts};

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

impl<S, A, B> Service<Request<A>> for Observe<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let id = request_id::of(request.headers());
        let line = self.layer.log.wanted();
        let line = line.then(|| Box::new(Line::of(&request, facts::peer())));
        let span = self.layer.tracer.as_ref().map(|_| {
            let (headers, method) = (request.headers(), request.method());
            Box::new(Tracer::begin(headers, method, request.uri().path()))
        });
        self.layer.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        // What the call itself takes counts.
        let started = Instant::now();
        ObserveFuture {
            inner: self.inner.call(request),
            seen: Seen {
                layer: self.layer.clone(),
                started,
                id,
                line,
                span,
            },
        }
    }
}

/// What is kept until the response; dropping it ends the request, answered or not.
struct Seen {
    layer: Arc<ObserveLayer>,
    started: Instant,
    id: HeaderValue,
    // Boxed, as a future is moved as a whole into each that is around it, and both are large and not always there.
    line: Option<Box<Line>>,
    span: Option<Box<Span>>,
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.layer.traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    pub(crate) struct ObserveFuture<F> {
        #[pin]
        inner: F,
        seen: Seen,
    }
}

impl<F, B, E> Future for ObserveFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        let seen = this.seen;
        let elapsed = seen.started.elapsed();
        let status = response.status();
        // Without the context layer, or under a reader that keeps the context, the route is unknown.
        let route = context::update(|facts: &mut Facts| facts.route.take())
            .ok()
            .flatten();
        let counters = route.as_deref().unwrap_or(&seen.layer.unmatched);
        counters.record(status, elapsed);
        if let (Some(tracer), Some(span)) = (&seen.layer.tracer, seen.span.take()) {
            counters.note(span.trace(), elapsed);
            let pattern = route.as_ref().map(|route| route.pattern());
            tracer.end(*span, pattern, status, elapsed);
        }
        if let Some(line) = seen.line.take() {
            let bytes = response.body().size_hint().exact();
            let log = &seen.layer.log;
            log.write(*line, status, bytes, elapsed, &seen.id);
        }
        // To clone it would make it a shared one first.
        let id = std::mem::replace(&mut seen.id, HeaderValue::from_static(""));
        response.headers_mut().insert(REQUEST_ID, id);
        Poll::Ready(Ok(response))
    }
}
