//! What becomes of a request's body that nobody reads to its end.
//!
//! hyper reads no further once a body is dropped, and closes the connection behind the response without having said so: a
//! client that keeps connections sends its next request into one that is closing. Here the response says `Connection: close`
//! (RFC 9112, section 9.6), or, when little is left to come, the rest is read behind it and the connection stays. A client that
//! takes more than five seconds for that little loses the connection without having been told.
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
use http::{HeaderValue, StatusCode, Version};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// How much is read and dropped rather than to lose the connection.
const LITTLE: u64 = 64 * 1024;
/// How long that may take. A client that was too slow already (408) does not get it.
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
        let expects = request.headers().contains_key(EXPECT);
        let rest = Rest::default();
        let request = request.map(|body| {
            Body::new(WatchedBody {
                body,
                waits: expects,
                rest: rest.clone(),
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
#[derive(Clone, Default)]
struct Rest(Arc<Mutex<Option<Leftover>>>);

struct Leftover {
    body: Body,
    /// The client sends nothing before it is told to continue, and it has not been.
    waits: bool,
}

impl Rest {
    fn keep(&self, leftover: Leftover) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(leftover);
    }

    /// A body that the service still reads, as it answers, is none of ours, nor is a connection that changes its protocol.
    fn settle(self, response: &mut Response) {
        let leftover = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Leftover { body, waits }) = leftover else {
            return;
        };
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let little = body.size_hint().upper().is_some_and(|left| left <= LITTLE);
        if little && !waits && status != StatusCode::REQUEST_TIMEOUT {
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
struct WatchedBody {
    body: Body,
    waits: bool,
    rest: Rest,
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // hyper tells the client to continue when it is asked for the body.
        self.waits = false;
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

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.rest.keep(Leftover {
                body: std::mem::take(&mut self.body),
                waits: self.waits,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::request::Builder;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// A body of so many pieces of a KiB, which says how much is left, and keeps count of it.
    struct Pieces(Arc<Mutex<u64>>);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let mut left = self.0.lock().unwrap();
            let piece = left.checked_sub(1).inspect(|rest| *left = *rest);
            Poll::Ready(piece.map(|_| Ok(Frame::data(Bytes::from_static(&[0; 1024])))))
        }

        fn is_end_stream(&self) -> bool {
            *self.0.lock().unwrap() == 0
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(*self.0.lock().unwrap() * 1024)
        }
    }

    /// Whether the connection is said to be closed behind the response to a body of which so many pieces are read, and
    /// how many of it are left to come then.
    async fn closes(request: Builder, pieces: u64, reads: u64, status: StatusCode) -> (bool, u64) {
        let left = Arc::new(Mutex::new(pieces));
        let body = Body::new(Pieces(left.clone()));
        let service = service_fn(async |request: Request| {
            let mut body = request.into_body();
            for _ in 0..reads {
                body.frame().await;
            }
            let mut response = Response::default();
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        });
        let request = request.body(body).unwrap();
        let Ok(response) = UnreadLayer.layer(service).oneshot(request).await;
        tokio::task::yield_now().await;
        let close = response.headers().get(CONNECTION);
        let left = *left.lock().unwrap();
        (close.is_some_and(|value| value == "close"), left)
    }

    #[tokio::test]
    async fn what_is_left_is_read_when_it_is_little_and_ends_the_connection_when_not() {
        let post = || Request::post("/");
        let done = StatusCode::OK;
        assert_eq!(closes(post(), 64, 0, done).await, (false, 0));
        assert_eq!(closes(post(), 65, 0, done).await, (true, 65));
        assert_eq!(closes(post(), 65, 1, done).await, (false, 0));
        assert_eq!(closes(post(), 65, 65, done).await, (false, 0));
    }

    #[tokio::test]
    async fn who_waits_for_a_word_or_was_too_slow_already_is_not_waited_for() {
        let expects = || Request::post("/").header(EXPECT, "100-continue");
        let refused = StatusCode::PAYLOAD_TOO_LARGE;
        assert_eq!(closes(expects(), 2, 0, refused).await, (true, 2));
        assert_eq!(closes(expects(), 2, 1, refused).await, (false, 0));
        let late = StatusCode::REQUEST_TIMEOUT;
        assert_eq!(closes(Request::post("/"), 2, 1, late).await, (true, 1));
    }

    #[tokio::test]
    async fn neither_http_2_nor_another_protocol_is_meddled_with() {
        let http2 = Request::post("/").version(Version::HTTP_2);
        let refused = StatusCode::PAYLOAD_TOO_LARGE;
        assert_eq!(closes(http2, 100, 0, refused).await, (false, 100));
        let upgraded = StatusCode::SWITCHING_PROTOCOLS;
        assert_eq!(
            closes(Request::get("/"), 100, 0, upgraded).await,
            (false, 100)
        );
    }
}
