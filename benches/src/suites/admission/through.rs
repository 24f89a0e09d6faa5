//! The least that any admission under an unmodified axum does: a transport that only passes on, and a service that only
//! knows how many requests are in flight, which it takes to tell an idle connection from one that must not be closed.
//! Nothing is stamped, limited or asked to end.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    serve::{IncomingStream, Listener},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

use super::cost::Pipes;

/// What goes by untouched.
#[derive(Clone)]
pub(super) struct Through<T>(pub(super) T);

impl Listener for Through<Pipes> {
    type Io = Through<<Pipes as Listener>::Io>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (io, address) = Listener::accept(&mut self.0).await;
        (Through(io), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Listener::local_addr(&self.0)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Through<T> {
    #[inline(always)]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Through<T> {
    #[inline(always)]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    #[inline(always)]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    #[inline(always)]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

/// Makes services that know which requests are in flight, and nothing else.
pub(super) struct InFlight<S>(pub(super) S);

impl<'a, L: Listener, S: Clone> Service<IncomingStream<'a, L>> for InFlight<S> {
    type Response = Counting<S>;
    type Error = Infallible;
    type Future = Ready<Result<Counting<S>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: IncomingStream<'a, L>) -> Self::Future {
        ready(Ok(Counting {
            service: self.0.clone(),
            in_flight: Arc::default(),
        }))
    }
}

#[derive(Clone)]
pub(super) struct Counting<S> {
    service: S,
    in_flight: Arc<AtomicU32>,
}

impl<S: Service<Request, Future: Unpin>> Service<Request> for Counting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = CountingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    // As in tower-flowctl.
    #[inline(always)]
    fn call(&mut self, request: Request) -> Self::Future {
        let mut future = CountingFuture {
            response: self.service.call(request),
            active: None,
        };
        self.in_flight.fetch_add(1, Relaxed);
        future.active = Some(Active(self.in_flight.clone()));
        future
    }
}

struct Active(Arc<AtomicU32>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

pub(super) struct CountingFuture<F> {
    response: F,
    active: Option<Active>,
}

impl<F: Future + Unpin> Future for CountingFuture<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let response = Pin::new(&mut this.response).poll(cx);
        if response.is_ready() {
            this.active = None;
        }
        response
    }
}
