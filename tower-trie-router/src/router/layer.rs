//! A router in front of another service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{future::RouteFuture, service::RouterService};

/// When a request goes on to the service behind a [`RouterLayer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FallThrough {
    /// When no route matches its path. The default: a path belongs to one router.
    #[default]
    Path,
    /// When no route matches its path, or one does but not for its method. Lets a method of a path
    /// be taken over while the others stay behind; `Allow` then speaks of the service behind.
    PathOrMethod,
}

/// A [`Layer`] that tries a router first and falls through to the service it wraps.
///
/// A router with a fallback answers everything and never falls through. With a lenient or
/// redirecting [`TrailingSlash`](super::TrailingSlash) its routes also take the paths that differ from
/// theirs in the last slash, even where the service behind has a route for exactly that path; and
/// `OPTIONS *` speaks of this router's methods alone.
pub struct RouterLayer<B, R> {
    router: RouterService<B, R>,
    fall_through: FallThrough,
}

impl<B, R> RouterLayer<B, R> {
    pub(crate) fn new(router: RouterService<B, R>) -> Self {
        Self {
            router,
            fall_through: FallThrough::default(),
        }
    }

    /// Sets when a request goes on; [`FallThrough::Path`] unless told.
    #[must_use]
    pub fn fall_through(mut self, when: FallThrough) -> Self {
        self.fall_through = when;
        self
    }
}

impl<B, R> Clone for RouterLayer<B, R> {
    fn clone(&self) -> Self {
        Self {
            router: self.router.clone(),
            fall_through: self.fall_through,
        }
    }
}

impl<B, R> fmt::Debug for RouterLayer<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterLayer")
            .field("router", &self.router)
            .field("fall_through", &self.fall_through)
            .finish()
    }
}

impl<B, R, I> Layer<I> for RouterLayer<B, R> {
    type Service = FallThroughService<B, R, I>;

    fn layer(&self, inner: I) -> Self::Service {
        FallThroughService {
            layer: self.clone(),
            inner,
        }
    }
}

/// The service of a [`RouterLayer`].
pub struct FallThroughService<B, R, I> {
    layer: RouterLayer<B, R>,
    inner: I,
}

impl<B, R, I: Clone> Clone for FallThroughService<B, R, I> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<B, R, I: fmt::Debug> fmt::Debug for FallThroughService<B, R, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallThroughService")
            .field("layer", &self.layer)
            .field("inner", &self.inner)
            .finish()
    }
}

/// Ready when the wrapped service is, since any request may fall through to it.
impl<B, R, I> Service<Request<B>> for FallThroughService<B, R, I>
where
    R: Body + Default,
    I: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = I::Error;
    type Future = FallThroughFuture<R, I::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), I::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let frozen = &self.layer.router.frozen;
        let by_method = self.layer.fall_through == FallThrough::PathOrMethod;
        if by_method && frozen.refuses(&request) {
            return FallThroughFuture::inner(self.inner.call(request));
        }
        match frozen.dispatch(request) {
            Ok(future) => FallThroughFuture::routed(future),
            Err(request) => FallThroughFuture::inner(self.inner.call(request)),
        }
    }
}

pin_project! {
    /// The response future of a [`FallThroughService`].
    #[derive(Debug)]
    pub struct FallThroughFuture<R, F> {
        #[pin]
        kind: Kind<R, F>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<R, F> {
        Routed { future: RouteFuture<R> },
        Inner { #[pin] future: F },
    }
}

impl<R, F> FallThroughFuture<R, F> {
    fn routed(future: RouteFuture<R>) -> Self {
        let kind = Kind::Routed { future };
        Self { kind }
    }

    fn inner(future: F) -> Self {
        let kind = Kind::Inner { future };
        Self { kind }
    }
}

impl<R, F, E> Future for FallThroughFuture<R, F>
where
    R: Body + Default,
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Routed { future } => match ready!(Pin::new(future).poll(cx)) {
                Ok(response) => Poll::Ready(Ok(response)),
                Err(never) => match never {},
            },
            KindProjection::Inner { future } => future.poll(cx),
        }
    }
}
