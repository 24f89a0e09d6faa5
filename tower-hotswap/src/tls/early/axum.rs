//! The guard under `axum::serve`.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::serve::{IncomingStream, Listener};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{EarlyDataGuard, EarlyDataLayer};
use crate::tls::HotTlsStream;

/// Gives each connection's service an [`EarlyDataGuard`], so that its early data is served.
///
/// It goes around what `axum::serve` takes, over a listener whose streams are [`HotTlsStream`]s:
///
/// ```no_run
/// # async fn run(certificates: tower_hotswap::tls::Certificates, app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
/// use tower_hotswap::{Version, tls::{EarlyDataMakeService, HotTls, HotTlsListener}};
///
/// let tls = HotTls::builder().early_data(16 * 1024).build(certificates, Version::parse("1.0.0", b"")?)?;
/// let listener = tokio::net::TcpListener::bind("[::]:443").await?;
/// let app = EarlyDataMakeService::new(app.into_make_service());
/// axum::serve(HotTlsListener::new(listener, tls), app).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct EarlyDataMakeService<M>(M);

impl<M> EarlyDataMakeService<M> {
    /// Guards the services that `inner` makes.
    pub fn new(inner: M) -> Self {
        Self(inner)
    }
}

impl<'a, M, L, IO> Service<IncomingStream<'a, L>> for EarlyDataMakeService<M>
where
    L: Listener<Io = HotTlsStream<IO>>,
    M: Service<IncomingStream<'a, L>>,
{
    type Response = EarlyDataGuard<M::Response>;
    type Error = M::Error;
    type Future = EarlyDataMakeFuture<M::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, stream: IncomingStream<'a, L>) -> Self::Future {
        EarlyDataMakeFuture {
            layer: EarlyDataLayer::of_connection(stream.io().take_early_data()),
            inner: self.0.call(stream),
        }
    }
}

pin_project! {
    /// The future of [`EarlyDataMakeService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct EarlyDataMakeFuture<F> {
        #[pin]
        inner: F,
        layer: EarlyDataLayer,
    }
}

impl<F, S, E> Future for EarlyDataMakeFuture<F>
where
    F: Future<Output = Result<S, E>>,
{
    type Output = Result<EarlyDataGuard<S>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let service = ready!(this.inner.poll(cx))?;
        Poll::Ready(Ok(this.layer.layer(service)))
    }
}

impl<F> fmt::Debug for EarlyDataMakeFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyDataMakeFuture")
            .field("layer", &self.layer)
            .finish_non_exhaustive()
    }
}
