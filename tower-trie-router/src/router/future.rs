//! The router's response future.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body::Body;

use super::endpoint::Answer;

/// A look at a response of status 500 before it leaves.
pub(crate) type Explain<R> = fn(Response<R>, &mut Context<'_>) -> Response<R>;

/// The response of a [`Route`](super::Route) or of a whole router.
///
/// It holds the endpoint's future and nothing of the router; dropping it cancels the endpoint.
pub struct RouteFuture<R> {
    answer: Answer<R>,
    finish: Finish,
    explain: Option<Explain<R>>,
}

/// What is left to be done once the endpoint has answered.
pub(crate) enum Finish {
    Nothing,
    /// A `HEAD` request: the body is dropped, its length stated.
    Head,
    /// A `CONNECT` request: a success has no content (RFC 9110 §9.3.6).
    Connect,
    /// The router refused the method or answered `OPTIONS`: `Allow` is stated.
    Allow(HeaderValue),
}

impl Finish {
    /// What an endpoint's answer to `method` needs.
    #[inline]
    pub(crate) fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Nothing,
        }
    }
}

impl<R> RouteFuture<R> {
    pub(crate) fn plain(answer: Answer<R>) -> Self {
        Self::new(answer, Finish::Nothing, None)
    }

    #[inline]
    pub(crate) fn new(answer: Answer<R>, finish: Finish, explain: Option<Explain<R>>) -> Self {
        Self {
            answer,
            finish,
            explain,
        }
    }

    pub(crate) fn ready(response: Response<R>) -> Self {
        Self::plain(Answer::Now(Some(response)))
    }
}

// Nothing is pinned in place: a future on its way is in a box of its own.
impl<R> Unpin for RouteFuture<R> {}

impl<R: Body + Default> Future for RouteFuture<R> {
    type Output = Result<Response<R>, Infallible>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = match &mut self.answer {
            Answer::Now(response) => response.take().expect("polled after completion"),
            Answer::Later(future) => ready!(future.as_mut().poll(cx)),
        };
        if response.status() == StatusCode::INTERNAL_SERVER_ERROR
            && let Some(explain) = self.explain
        {
            response = explain(response, cx);
        }
        Poll::Ready(Ok(match &self.finish {
            Finish::Nothing => response,
            Finish::Head => without_body(response),
            Finish::Connect => without_content(response),
            Finish::Allow(methods) => {
                let headers = response.headers_mut();
                if let header::Entry::Vacant(vacant) = headers.entry(header::ALLOW) {
                    vacant.insert(methods.clone());
                }
                response
            }
        }))
    }
}

/// The response to `HEAD`: as the one to `GET`, its length stated, its body left out.
///
/// No length is stated for a status without content: 1xx and 204 must not have one, and that of a
/// 304 would be the length of the representation, which is not known here (RFC 9110 §8.6).
fn without_body<R: Body + Default>(mut response: Response<R>) -> Response<R> {
    let length = response.body().size_hint().exact();
    let status = response.status();
    let has_content = !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    let stated = headers.contains_key(header::CONTENT_LENGTH)
        || headers.contains_key(header::TRANSFER_ENCODING);
    if let Some(length) = length.filter(|_| has_content && !stated) {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    response.map(|_| R::default())
}

fn without_content<R: Body + Default>(mut response: Response<R>) -> Response<R> {
    if response.status().is_success() {
        let headers = response.headers_mut();
        let framed = headers.remove(header::CONTENT_LENGTH).is_some()
            | headers.remove(header::TRANSFER_ENCODING).is_some();
        if framed || response.body().size_hint().lower() != 0 {
            return response.map(|_| R::default());
        }
    }
    response
}

impl<R> fmt::Debug for RouteFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteFuture").finish_non_exhaustive()
    }
}
