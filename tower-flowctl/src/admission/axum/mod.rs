//! axum: the listener is an `axum::serve::Listener`, and [`CountRequests`] wraps what it serves.

mod listen;

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::axum::{
    body::{Body, HttpBody},
    extract::Request,
    response::Response,
    serve::{IncomingStream, Listener},
};
use http::{HeaderValue, Method, StatusCode, Version, header::CONNECTION};
use pin_project_lite::pin_project;
use tower_service::Service;

pub use self::listen::{Admitted, RemoteAddress};
use super::{ActiveBody, ActiveRequest, Connection, RatedBody, Shared, body::OwedBody};
use crate::http2::Streams;

/// Wraps what `axum::serve` is given, so that each connection knows its requests: when it is idle and may be closed, when its
/// handshake and heads are done, whether a handler waits for its body.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, routing::get};
/// use tower_flowctl::admission::{Admission, CountRequests};
///
/// let admission = Admission::builder().build()?;
/// let app = Router::new().route("/", get(|| async { "hello" }));
/// let listener = admission.listener(tokio::net::TcpListener::bind("[::]:8080").await?);
/// axum::serve(listener, CountRequests::new(app)).await?;
/// # Ok(())
/// # }
/// ```
///
/// Over HTTP/2 a request lasts until h2 has sent all of its response, which may wait for the client's windows. Through a
/// [`PriorityStream`](crate::http2::PriorityStream), as under `serve`, that costs nothing, and clients that open no windows are
/// [ended](crate::http2::Http2Limits::stall); without, it is an allocation or two for each response, and nobody ends those.
///
/// Under a listener of one's own that wraps this crate's, [`with`](Self::with) says where the connection is. Without
/// it connections have no deadlines for heads and bodies and are never reclaimed, since nobody knows whether they are idle.
pub struct CountRequests<M, F = ()> {
    make: M,
    find: F,
}

impl<M> CountRequests<M> {
    /// Wraps a `Router`, or any other service for connections.
    pub fn new(make: M) -> Self {
        Self { make, find: () }
    }

    /// As [`new`](Self::new), with a function that finds the connection in the transport that axum is given.
    ///
    /// ```
    /// # use tower_flowctl::admission::{AdmittedStream, Connection, CountRequests, Transport};
    /// # struct TlsStream<S>(S); impl<S> TlsStream<S> { fn get_ref(&self) -> (&S, ()) { (&self.0, ()) } }
    /// fn below_tls<S: Transport>(tls: &TlsStream<AdmittedStream<S>>) -> Connection {
    ///     tls.get_ref().0.connection()
    /// }
    /// # let app: axum::Router = axum::Router::new();
    /// let service = CountRequests::with(app, below_tls::<tokio::net::TcpStream>);
    /// # drop(service);
    /// ```
    pub fn with<F>(make: M, find: F) -> CountRequests<M, Find<F>> {
        CountRequests {
            make,
            find: Find(find),
        }
    }
}

/// How [`CountRequests::with`] finds the connection.
#[derive(Clone, Copy)]
pub struct Find<F>(F);

impl<F> fmt::Debug for Find<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<F>())
    }
}

impl<M: Clone, F: Clone> Clone for CountRequests<M, F> {
    fn clone(&self) -> Self {
        Self {
            make: self.make.clone(),
            find: self.find.clone(),
        }
    }
}

impl<M: fmt::Debug, F: fmt::Debug> fmt::Debug for CountRequests<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountRequests")
            .field("make", &self.make)
            .field("find", &self.find)
            .finish()
    }
}

impl<'a, L, M> Service<IncomingStream<'a, L>> for CountRequests<M>
where
    L: Listener<Io: Admitted>,
    M: Service<IncomingStream<'a, L>>,
{
    type Response = Counted<M::Response>;
    type Error = M::Error;
    type Future = MakeFuture<M::Future, M::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        self.make.poll_ready(cx)
    }

    fn call(&mut self, stream: IncomingStream<'a, L>) -> Self::Future {
        let connection = stream.io().admitted();
        MakeFuture::new(connection, self.make.call(stream))
    }
}

impl<'a, L, M, F> Service<IncomingStream<'a, L>> for CountRequests<M, Find<F>>
where
    L: Listener,
    M: Service<IncomingStream<'a, L>>,
    F: Fn(&L::Io) -> Connection,
{
    type Response = Counted<M::Response>;
    type Error = M::Error;
    type Future = MakeFuture<M::Future, M::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        self.make.poll_ready(cx)
    }

    fn call(&mut self, stream: IncomingStream<'a, L>) -> Self::Future {
        let connection = (self.find.0)(stream.io());
        MakeFuture::new(connection, self.make.call(stream))
    }
}

pin_project! {
    /// The future of [`CountRequests`].
    #[derive(Debug)]
    pub struct MakeFuture<F, S> {
        #[pin]
        make: F,
        connection: Option<Connection>,
        service: PhantomData<fn() -> S>,
    }
}

impl<F, S> MakeFuture<F, S> {
    fn new(connection: Connection, make: F) -> Self {
        connection.established();
        Self {
            make,
            connection: Some(connection),
            service: PhantomData,
        }
    }
}

impl<F, S, E> Future for MakeFuture<F, S>
where
    F: Future<Output = Result<S, E>>,
{
    type Output = Result<Counted<S>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let service = ready!(this.make.poll(cx))?;
        let connection = this.connection.take().expect("polled after it was ready");
        Poll::Ready(Ok(Counted {
            service,
            connection,
        }))
    }
}

/// One connection's service, its requests counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    service: S,
    connection: Connection,
}

impl<S> Counted<S> {
    /// Counts the requests of `connection`: for serve loops of one's own. They come with axum's body.
    pub fn new(service: S, connection: Connection) -> Self {
        connection.established();
        Self {
            service,
            connection,
        }
    }
}

impl<S> Service<Request> for Counted<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = CountedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    // Left as calls, this one and the future's would cost copies of the request and of the response.
    #[inline(always)]
    fn call(&mut self, mut request: Request) -> Self::Future {
        let version = request.version();
        if version >= Version::HTTP_2 && !self.connection.0.is_multiplexed() {
            first_of_many(&request, &self.connection.0);
        }
        if !request.body().is_end_stream() {
            hold_to_rate(&mut request, &self.connection);
        }
        let connects = request.method() == Method::CONNECT;
        // Counted once its future is there: a guard that had to be dropped if this call panics would make it dearer.
        let mut future = CountedFuture {
            response: self.service.call(request),
            active: None,
            version,
            connects,
        };
        future.active = Some(self.connection.begin());
        future
    }
}

/// The first request of a connection that is HTTP/2.
#[cold]
fn first_of_many(request: &Request, connection: &Shared) {
    connection.set_multiplexed();
    if let Some(streams) = Streams::of(request) {
        connection.follow(streams);
    }
}

/// Bodies are exchanged in place: to move a whole request costs more than all else that is done here.
#[inline(never)]
fn hold_to_rate(request: &mut Request, connection: &Connection) {
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = Body::new(RatedBody::new(body, connection));
}

pin_project! {
    /// The future of [`Counted`].
    #[derive(Debug)]
    pub struct CountedFuture<F> {
        #[pin]
        response: F,
        active: Option<ActiveRequest>,
        version: Version,
        connects: bool,
    }
}

/// A body of up to this size, in bytes, is with the transport as soon as it leaves the service; what the socket does not take of it
/// keeps the connection busy. It needs no wrapping, and so no allocation. Over HTTP/2 it may wait for the client's windows first:
/// there it needs none either where streams are [followed](Shared::follow).
const SMALL: u64 = 64 << 10;

impl<F, E> Future for CountedFuture<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut result = this.response.poll(cx);
        if let Poll::Ready(answer) = &mut result {
            if let Ok(response) = answer {
                finish(response, this.active, *this.version, *this.connects);
            }
            *this.active = None;
        }
        result
    }
}

/// What is to be done with a response before it leaves.
#[inline(always)]
fn finish(
    response: &mut Response,
    active: &mut Option<ActiveRequest>,
    version: Version,
    connects: bool,
) {
    let Some(ActiveRequest(connection)) = active else {
        return;
    };
    let status = response.status();
    // Its `Connection` is a part of the handshake then.
    let upgrades =
        (status == StatusCode::SWITCHING_PROTOCOLS || connects) && note_upgrade(connection, status);
    let ends = connection.is_closing() || connection.core.is_crowded();
    if ends && version <= Version::HTTP_11 && !upgrades {
        end_connection(response);
    }
    let exact = response.body().size_hint().exact();
    let is_large = exact.is_none_or(|size| size > SMALL);
    if version >= Version::HTTP_2 && !connection.is_followed() {
        if exact != Some(0) {
            keep_owed(response, active);
        }
    } else if is_large {
        keep_active(response, active);
    }
}

/// After a 101, and after an answer to CONNECT. Whether it is HTTP no more.
#[cold]
fn note_upgrade(connection: &Shared, status: StatusCode) -> bool {
    let upgrades = status == StatusCode::SWITCHING_PROTOCOLS || status.is_success();
    if upgrades {
        connection.set_upgraded();
    }
    upgrades
}

#[cold]
fn end_connection(response: &mut Response) {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
}

#[inline(never)]
fn keep_active(response: &mut Response, active: &mut Option<ActiveRequest>) {
    if let Some(active) = active.take() {
        let body = std::mem::take(response.body_mut());
        *response.body_mut() = Body::new(ActiveBody::new(body, active));
    }
}

#[inline(never)]
fn keep_owed(response: &mut Response, active: &mut Option<ActiveRequest>) {
    if let Some(active) = active.take() {
        let body = std::mem::take(response.body_mut());
        *response.body_mut() = Body::new(OwedBody::new(body, active));
    }
}

#[cfg(test)]
mod tests;
