//! What keeps early requests from being done twice.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header::UPGRADE};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::EarlyData;

/// RFC 8470 §5.1.
const EARLY_DATA: HeaderName = HeaderName::from_static("early-data");

/// Puts an [`EarlyDataGuard`] around services.
#[derive(Debug, Clone, Default)]
pub struct EarlyDataLayer {
    connection: Option<EarlyData>,
}

impl EarlyDataLayer {
    /// A layer that knows of early data by the header `Early-Data` alone, for servers behind a proxy that accepts it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A layer for the requests of one connection, which knows of those that came to this server early, too.
    #[must_use]
    pub fn of_connection(early: Option<EarlyData>) -> Self {
        Self { connection: early }
    }
}

impl<S> Layer<S> for EarlyDataLayer {
    type Service = EarlyDataGuard<S>;

    fn layer(&self, inner: S) -> EarlyDataGuard<S> {
        EarlyDataGuard {
            inner,
            connection: self.connection.clone(),
        }
    }
}

/// Answers requests in early data by 425 unless they are safe to be done twice.
///
/// A request is early while the handshake of its connection has not ended, or if a proxy said by `Early-Data` that it was
/// on a hop before (RFC 8470 §5.1). Whatever the header's value is, and however often it is there, it counts, as the RFC
/// wants it; so nobody has to be trusted: all that it brings a request is to be refused.
///
/// GET, HEAD, OPTIONS and TRACE pass, except with `Upgrade`, since what comes afterwards is not of HTTP. They have the header
/// `Early-Data: 1` then, so that a handler whose GET is not safe can answer 425 by itself, and a server further on knows.
/// Other methods are answered by 425 (Too Early) without the inner service being called; a client sends them again after
/// its handshake (RFC 8470 §5.2).
///
/// # Readiness
/// It is the inner service's. What that reserved for a request that is refused stays with this clone, as for a call that never came.
#[derive(Debug, Clone)]
pub struct EarlyDataGuard<S> {
    inner: S,
    connection: Option<EarlyData>,
}

impl<S, B, C> Service<Request<B>> for EarlyDataGuard<S>
where
    S: Service<Request<B>, Response = Response<C>>,
    C: Default,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = EarlyDataFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let came_early = self.connection.as_ref().is_some_and(EarlyData::is_pending);
        let is_early = came_early || request.headers().contains_key(EARLY_DATA);
        if is_early && !is_safe(&request) {
            return EarlyDataFuture::Refused;
        }
        if came_early {
            let headers = request.headers_mut();
            headers.insert(EARLY_DATA, HeaderValue::from_static("1"));
        }
        EarlyDataFuture::Passed {
            inner: self.inner.call(request),
        }
    }
}

fn is_safe<B>(request: &Request<B>) -> bool {
    request.method().is_safe() && !request.headers().contains_key(UPGRADE)
}

pin_project! {
    /// The future of [`EarlyDataGuard`].
    #[project = Projection]
    #[must_use = "futures do nothing unless polled"]
    pub enum EarlyDataFuture<F> {
        #[doc(hidden)]
        Passed {
            #[pin]
            inner: F,
        },
        #[doc(hidden)]
        Refused,
    }
}

impl<F, C, E> Future for EarlyDataFuture<F>
where
    F: Future<Output = Result<Response<C>, E>>,
    C: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            Projection::Passed { inner } => inner.poll(cx),
            Projection::Refused => {
                let mut response = Response::new(C::default());
                *response.status_mut() = StatusCode::TOO_EARLY;
                Poll::Ready(Ok(response))
            }
        }
    }
}

impl<F> fmt::Debug for EarlyDataFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed { .. } => "EarlyDataFuture::Passed",
            Self::Refused => "EarlyDataFuture::Refused",
        })
    }
}
