//! What holds for every request, whatever answers it: it names one host, a panic ends it alone, its errors are described, and
//! its response has the security headers.
//!
//! One layer, as each of these apart would move the request and the response once more, and tower-http's
//! `CatchPanic` would put the body into another box.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::Response;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::config::Switch;
use crate::{headers, host, problem};

/// Guards a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuardLayer {
    pub(crate) security_headers: Switch,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            layer: *self,
        }
    }
}

/// The service of [`GuardLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    layer: GuardLayer,
}

impl<S> Service<Request> for Guard<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = GuardFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let refusal = host::refuse(&request);
        let passes = refusal.is_none();
        let mut guarded = GuardFuture {
            answer: Answer::Known { response: refusal },
            layer: self.layer,
        };
        if passes {
            // By reference in and out: what goes through `catch_unwind` by value is moved twice each way.
            let mut request = Some(request);
            let called = catch_unwind(AssertUnwindSafe(|| {
                if let Some(request) = request.take() {
                    let future = self.inner.call(request);
                    guarded.answer = Answer::Coming { future };
                }
            }));
            // A service that panicked is not called again: the next request has a clone of its own.
            if let Err(panic) = called {
                guarded.answer = Answer::known(panic);
            }
        }
        guarded
    }
}

pin_project! {
    pub(crate) struct GuardFuture<F> {
        #[pin]
        answer: Answer<F>,
        layer: GuardLayer,
    }
}

pin_project! {
    #[project = AnswerProjection]
    enum Answer<F> {
        Coming { #[pin] future: F },
        Known { response: Option<Response> },
    }
}

impl<F> Answer<F> {
    #[cold]
    fn known(panic: Box<dyn Any + Send>) -> Self {
        Answer::Known {
            response: Some(problem::from_panic(panic)),
        }
    }
}

impl<F> Future for GuardFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = match this.answer.as_mut().project() {
            AnswerProjection::Known { response } => response.take().expect("polled after it ended"),
            AnswerProjection::Coming { future } => {
                let mut answer = Poll::Pending;
                match catch_unwind(AssertUnwindSafe(|| answer = future.poll(context))) {
                    Ok(()) => ready!(answer)?,
                    Err(panic) => problem::from_panic(panic),
                }
            }
        };
        problem::describe(&mut response);
        if this.layer.security_headers.is_on() {
            headers::secure(response.headers_mut());
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse;
    use http::StatusCode;
    use tower::{ServiceExt, service_fn};

    use super::*;

    async fn ask(path: &str) -> Response {
        let layer = GuardLayer {
            security_headers: Switch::On,
        };
        let inner = service_fn(|request: Request| {
            // Before there is a future, and in it.
            assert!(request.uri().path() != "/at-once", "at once");
            async move {
                assert!(request.uri().path() != "/later", "later");
                Ok::<_, Infallible>("hello".into_response())
            }
        });
        let request = Request::get(path)
            .header("host", "here")
            .body(Body::empty());
        let request = request.expect("it is valid");
        match layer.layer(inner).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    #[tokio::test]
    async fn a_panic_is_answered_wherever_it_comes_from() {
        for (path, status) in [
            ("/", StatusCode::OK),
            ("/at-once", StatusCode::INTERNAL_SERVER_ERROR),
            ("/later", StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let response = ask(path).await;
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()["x-frame-options"], "DENY", "{path}");
        }
    }

    #[tokio::test]
    async fn a_request_without_a_host_is_refused_with_a_description() {
        let inner = service_fn(|_: Request| async { Ok("hello".into_response()) });
        let layer = GuardLayer {
            security_headers: Switch::Off,
        };
        let request = Request::new(Body::empty());
        let Ok(response) = layer.layer(inner).oneshot(request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert!(!response.headers().contains_key("x-frame-options"));
    }
}
