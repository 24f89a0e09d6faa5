//! What becomes of a request's body that nobody reads to its end.
//!
//! hyper reads no further once a body is dropped, and closes the connection behind the response without having said so: a
//! client that keeps connections sends its next request into one that is closing. Here the response says `Connection: close`
//! (RFC 9112, section 9.6), or, when little is left to come, the rest is read and the connection stays.
//!
//! Only for HTTP/1: over HTTP/2 a stream ends alone.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Version};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// How much is read and dropped rather than to lose the connection.
const LITTLE: u64 = 64 * 1024;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks after request bodies that are not read to their end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnreadLayer;

impl<S> Layer<S> for UnreadLayer {
    type Service = Unread<S>;

    fn layer(&self, inner: S) -> Unread<S> {
        Unread { inner }
    }
}

/// The service of [`UnreadLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Unread<S> {
    inner: S,
}

impl<S> Service<Request> for Unread<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = UnreadFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.body().is_end_stream() || request.version() > Version::HTTP_11 {
            return UnreadFuture {
                inner: Some(self.inner.call(request)),
                rest: None,
            };
        }
        let rest = Rest {
            // Nothing arrives before the client is told to continue, and it is not.
            waits: request.headers().contains_key(EXPECT),
            body: Arc::default(),
        };
        let request = request.map(|body| {
            Body::new(Watched {
                body,
                given_back: rest.body.clone(),
            })
        });
        UnreadFuture {
            inner: Some(self.inner.call(request)),
            rest: Some(rest),
        }
    }
}

pin_project! {
    pub(crate) struct UnreadFuture<F> {
        #[pin]
        inner: Option<F>,
        // What there is for a request with a body over HTTP/1.
        rest: Option<Rest>,
    }
}

impl<F, E> Future for UnreadFuture<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut();
        let mut response = ready!(inner.expect("polled after it ended").poll(context))?;
        if let Some(rest) = this.rest.take() {
            // It may hold the body until it is dropped itself.
            this.inner.set(None);
            rest.settle(&mut response);
        }
        Poll::Ready(Ok(response))
    }
}

/// Where a body is put that was dropped before its end.
struct Rest {
    waits: bool,
    body: Arc<Mutex<Option<Body>>>,
}

impl Rest {
    /// A body that the service still reads, as it answers, is none of ours.
    fn settle(self, response: &mut Response) {
        let body = self
            .body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(body) = body else {
            return;
        };
        let little = body.size_hint().upper().is_some_and(|left| left <= LITTLE);
        if little && !self.waits {
            tokio::spawn(tokio::time::timeout(PATIENCE, drain(body)));
        } else {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
    }
}

async fn drain(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// A body that gives back what is left of it.
struct Watched {
    body: Body,
    given_back: Arc<Mutex<Option<Body>>>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            // At its end, or broken: there is no more to come.
            self.body = Body::empty();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let rest = std::mem::take(&mut self.body);
            *self
                .given_back
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(rest);
        }
    }
}
