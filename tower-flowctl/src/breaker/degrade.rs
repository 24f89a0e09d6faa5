//! What becomes of a request that does not pass.

use std::{
    future::{Future, Ready, ready},
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response};
use tower_service::Service;

use crate::{http2, unavailable::unavailable};

/// Answers in place of the service `S`.
///
/// [`Refuse`] does it with a 503, [`Fallback`] with another service.
pub trait Degrade<B, S: Service<Request<B>>>: Clone {
    /// The answer.
    type Future: Future<Output = Result<S::Response, S::Error>>;

    /// Whether it can.
    ///
    /// # Errors
    /// Those of the service that answers.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>>;

    /// Answers. `retry_after` is in seconds.
    fn degrade(&mut self, request: Request<B>, retry_after: u64) -> Self::Future;
}

/// `503 Service Unavailable` with `Retry-After`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refuse;

impl<B, S, R> Degrade<B, S> for Refuse
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Future = Ready<Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn degrade(&mut self, _: Request<B>, retry_after: u64) -> Self::Future {
        ready(Ok(unavailable(retry_after)))
    }
}

/// Another service: a cache, a static page, an older answer.
#[derive(Clone, Copy, Debug)]
pub struct Fallback<F>(pub(super) F);

impl<B, S, F> Degrade<B, S> for Fallback<F>
where
    S: Service<Request<B>>,
    F: Service<Request<B>, Response = S::Response, Error = S::Error> + Clone,
{
    type Future = F::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn degrade(&mut self, request: Request<B>, _: u64) -> Self::Future {
        self.0.call(request)
    }
}

/// Which requests an open breaker degrades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shed {
    /// All, but for probes.
    All,
    /// Those whose `priority` header (RFC 9218) says this urgency or a higher number, that is, less urgent; without one it
    /// is 3. What is more urgent passes.
    FromUrgency(u8),
}

impl Shed {
    pub(super) fn takes(self, headers: &HeaderMap) -> bool {
        match self {
            Self::All => true,
            Self::FromUrgency(from) => urgency(headers) >= from,
        }
    }
}

/// The urgency of RFC 9218 §4.1, 3 if there is none or it is wrong.
fn urgency(headers: &HeaderMap) -> u8 {
    let said = http2::read_field(headers).unwrap_or_default();
    said.or_priority(http2::Priority::default()).urgency()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn urgencies() {
        let cases = [
            ("u=0", 0),
            ("u=5, i", 5),
            ("i, u=7;x=1", 7),
            ("i", 3),
            ("u=8", 3),
            ("u=-1", 3),
            ("u=", 3),
            ("u=1, u=2", 2),
            ("U=1", 3),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("priority", HeaderValue::from_static(value));
            assert_eq!(urgency(&headers), expected, "{value}");
        }
        assert_eq!(urgency(&HeaderMap::new()), 3);
        assert!(Shed::FromUrgency(3).takes(&HeaderMap::new()));
        assert!(!Shed::FromUrgency(4).takes(&HeaderMap::new()));
    }
}
