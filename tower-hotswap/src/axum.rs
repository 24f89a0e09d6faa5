//! `HotSwap` under `axum::serve`, and the extractor of the request's mark.

use std::{
    convert::Infallible,
    fmt,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    ServiceExt,
    body::Body,
    extract::connect_info::IntoMakeServiceWithConnectInfo,
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts, Request},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::IntoMakeService,
};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{HotConfig, HotSwap, InFlight, ResponseFuture, Snapshot};

/// A [`HotSwap`] whose responses have axum's body, as `axum::serve` and routes want them.
///
/// A body that is not empty is boxed once more, which is what this costs over [`HotSwap`] itself.
#[derive(Debug)]
pub struct AxumHotSwap<S: Clone + Send + Sync + 'static>(HotSwap<S>);

impl<S: Clone + Send + Sync + 'static> Clone for AxumHotSwap<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> HotSwap<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    /// The service with axum's body, to be nested in a router or served.
    #[must_use]
    pub fn into_axum(self) -> AxumHotSwap<S> {
        AxumHotSwap(self)
    }

    /// What `axum::serve` takes.
    #[must_use]
    pub fn into_make_service(self) -> IntoMakeService<AxumHotSwap<S>> {
        ServiceExt::<Request>::into_make_service(self.into_axum())
    }

    /// What `axum::serve` takes, for handlers that extract `ConnectInfo<C>`.
    #[must_use]
    pub fn into_make_service_with_connect_info<C>(
        self,
    ) -> IntoMakeServiceWithConnectInfo<AxumHotSwap<S>, C> {
        ServiceExt::<Request>::into_make_service_with_connect_info(self.into_axum())
    }
}

impl<S> Service<Request> for AxumHotSwap<S>
where
    S: Service<Request, Response = Response> + Clone + Send + Sync + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = AxumResponseFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        AxumResponseFuture {
            inner: self.0.call(request),
        }
    }
}

pin_project! {
    /// The future of [`AxumHotSwap`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AxumResponseFuture<S>
    where
        S: Service<Request>,
    {
        #[pin]
        inner: ResponseFuture<S, Body>,
    }
}

impl<S> Future for AxumResponseFuture<S>
where
    S: Service<Request, Response = Response>,
{
    type Output = Result<Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(|body| {
            if http_body::Body::is_end_stream(&body) {
                body.into_inner()
            } else {
                Body::new(body)
            }
        })))
    }
}

impl<S: Service<Request>> fmt::Debug for AxumResponseFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The handler is not behind a [`HotSwap`] or `HotLayer`, or runs in another task than it.
///
/// Answered by status 500: it is a fault of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHotSwapped;

impl fmt::Display for NotHotSwapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler is not called by a hot-swapped service: put it behind a `HotSwap`")
    }
}

impl std::error::Error for NotHotSwapped {}

impl IntoResponse for NotHotSwapped {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for InFlight {
    type Rejection = NotHotSwapped;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, NotHotSwapped> {
        Self::current().ok_or(NotHotSwapped)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for InFlight {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::current())
    }
}

/// Extracts the request's version of a configuration; the first look pins it. See [`HotConfig`].
///
/// The [`HotConfig`] is the router's state, or a part of it by axum's `FromRef`.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_hotswap::{Hot, HotConfig, Version};
///
/// async fn greeting(text: Hot<String>) -> String {
///     format!("{} ({})", text.value(), text.version.short())
/// }
///
/// # fn main() -> Result<(), tower_hotswap::SwapError> {
/// let config = HotConfig::new("hello".to_owned(), Version::parse("1.0.0", b"hello")?);
/// let app: Router = Router::new().route("/", get(greeting)).with_state(config.clone());
/// config.handle().swap("good day".to_owned(), Version::parse("1.1.0", b"good day")?)?;
/// # drop(app);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Hot<T>(pub Arc<Snapshot<T>>);

impl<T> Clone for Hot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Hot<T> {
    type Target = Snapshot<T>;

    fn deref(&self) -> &Snapshot<T> {
        &self.0
    }
}

impl<T, S> FromRequestParts<S> for Hot<T>
where
    T: Send + Sync + 'static,
    HotConfig<T>: FromRef<S>,
    S: Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(HotConfig::from_ref(state).of(parts)))
    }
}
