//! The service of the request plane.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, Request, Response, Version, header};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    Priority, PriorityBody, PriorityOverride,
    connection::{Connection, Seat},
    identity,
    rules::Rules,
};

/// The field of RFC 9218 §5.
const PRIORITY: HeaderName = HeaderName::from_static("priority");

/// A service whose responses wait for their turn; made by [`PriorityLayer`](super::PriorityLayer).
///
/// Requests of other protocols, and of connections without the adapter, pass untouched. Readiness, errors and cancellation
/// are the inner service's.
#[derive(Clone, Debug)]
pub struct PriorityService<S> {
    inner: S,
    rules: Arc<Rules>,
    connection: Option<Arc<Connection>>,
}

impl<S> PriorityService<S> {
    pub(crate) fn new(inner: S, rules: Arc<Rules>, connection: Option<Arc<Connection>>) -> Self {
        Self {
            inner,
            rules,
            connection,
        }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Finds a request's place by the field that the adapter appended, and takes that off.
    fn seat<B>(&self, request: &mut Request<B>) -> Option<Seat> {
        let taken = identity::take(request.headers_mut())?;
        let stream = taken.stream()?;
        let connection = match &self.connection {
            Some(connection) if taken.is_of(connection.prefix()) => connection.clone(),
            _ => identity::find(taken.key()?)?,
        };
        let field = client_field(request.headers());
        match connection.seat(stream, field) {
            Some(handle) => Some(Seat { connection, handle }),
            None => {
                connection.upload(|windows| windows.leave_to_hyper(stream));
                None
            }
        }
    }
}

/// What a request's headers say. Behind a proxy that merges clients nobody's order is everybody's, so they share (RFC
/// 9218 §13.1).
fn client_field(headers: &HeaderMap) -> Option<PriorityOverride> {
    let mut field = read_field(headers)?;
    let proxied = [
        header::VIA,
        header::FORWARDED,
        HeaderName::from_static("x-forwarded-for"),
    ];
    if proxied.iter().any(|name| headers.contains_key(name)) {
        field = field.incremental(true);
    }
    Some(field)
}

/// The `priority` field of either side. Several lines are one list (RFC 9110 §5.2).
pub(crate) fn read_field(headers: &HeaderMap) -> Option<PriorityOverride> {
    headers.get(PRIORITY)?;
    let mut lines = headers.get_all(PRIORITY).iter();
    let first = lines.next()?;
    let Some(second) = lines.next() else {
        return PriorityOverride::parse(first.as_bytes());
    };
    let mut joined = first.as_bytes().to_vec();
    for line in std::iter::once(second).chain(lines) {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_bytes());
    }
    PriorityOverride::parse(&joined)
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for PriorityService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<PriorityBody<ResBody>>;
    type Error = S::Error;
    type Future = PriorityFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if request.version() != Version::HTTP_2 {
            return PriorityFuture {
                inner: self.inner.call(request),
                seat: None,
                gates: false,
                rules: None,
            };
        }
        let outer = request.extensions().get::<StreamPriority>();
        let (seat, gates) = match outer.map(|outer| outer.seat.clone()) {
            // A service further out schedules this response already.
            Some(seat) => (Some(seat), false),
            None => (self.seat(&mut request), true),
        };
        let Some(seat) = seat else {
            return PriorityFuture {
                inner: self.inner.call(request),
                seat: None,
                gates: false,
                rules: None,
            };
        };
        let by_path = self.rules.by_path(request.uri().path());
        let (mut request, judged) = self.rules.judge(request);
        let said = request.extensions().get::<PriorityOverride>().copied();
        let application = said.unwrap_or_default().or(judged);
        seat.connection.decide(seat.handle, by_path, application);
        if gates {
            let priority = StreamPriority { seat: seat.clone() };
            request.extensions_mut().insert(priority);
        }
        PriorityFuture {
            inner: self.inner.call(request),
            seat: Some(seat),
            gates,
            rules: (!self.rules.content_types.is_empty()).then(|| self.rules.clone()),
        }
    }
}

pin_project! {
    /// The future of [`PriorityService`].
    pub struct PriorityFuture<F> {
        #[pin]
        inner: F,
        seat: Option<Seat>,
        // Whether the body is ours to hold back, or somebody's further out.
        gates: bool,
        rules: Option<Arc<Rules>>,
    }
}

impl<F, B, E> Future for PriorityFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<PriorityBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let seat = this.seat.take();
        if let Some(Seat { connection, handle }) = &seat {
            let header = read_field(response.headers()).unwrap_or_default();
            let typed = match this.rules {
                Some(rules) => rules.by_content_type(response.headers()),
                None => PriorityOverride::new(),
            };
            let said = response.extensions().get::<PriorityOverride>().copied();
            connection.respond(*handle, header, typed, said.unwrap_or_default());
        }
        let seat = seat.filter(|_| *this.gates);
        Poll::Ready(Ok(response.map(|body| PriorityBody::new(body, seat))))
    }
}

impl<F> fmt::Debug for PriorityFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriorityFuture")
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}

/// A request's stream and its priority, in the extensions of each request whose response is scheduled.
///
/// ```
/// use tower_flowctl::http2::{PriorityOverride, StreamPriority};
///
/// async fn handler(request: http::Request<()>) -> http::Response<String> {
///     let mut text = "not scheduled".to_owned();
///     if let Some(stream) = request.extensions().get::<StreamPriority>() {
///         stream.set(PriorityOverride::new().urgency(1));
///         text = format!("stream {} goes by {:?}", stream.id(), stream.get());
///     }
///     http::Response::new(text)
/// }
/// # drop(handler);
/// ```
#[derive(Clone, Debug)]
pub struct StreamPriority {
    seat: Seat,
}

impl StreamPriority {
    #[cfg(any(feature = "serve", all(feature = "admission", feature = "axum")))]
    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The number of the stream.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.seat.handle.id
    }

    /// The priority in force, which changes with every signal; `None` when the stream is over.
    #[must_use]
    pub fn get(&self) -> Option<Priority> {
        self.seat.connection.priority(self.seat.handle)
    }

    /// Has the application's word on it, which stands over all others, also while the response is under way.
    pub fn set(&self, said: PriorityOverride) {
        let Seat { connection, handle } = &self.seat;
        connection.decide(*handle, PriorityOverride::new(), said);
    }
}
