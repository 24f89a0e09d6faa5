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
    PriorityBody, PriorityOverride, StreamPriority,
    connection::{Connection, Seat},
    current, identity,
    rules::Rules,
    scheduler::Handle,
};

/// The field of RFC 9218 §5.
static PRIORITY: HeaderName = HeaderName::from_static("priority");

/// A service whose responses wait for their turn; made by [`PriorityLayer`](super::PriorityLayer).
///
/// Requests of other protocols, and of connections without the adapter, pass untouched. Readiness, errors and cancellation
/// are the inner service's.
#[derive(Clone, Debug)]
pub struct PriorityService<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> PriorityService<S> {
    pub(crate) fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

/// Finds a request's place by the field that the adapter appended, and takes that off. Mostly it is one of the connection
/// that is known.
pub(crate) fn take_seat<B>(
    known: Option<&Arc<Connection>>,
    request: &mut Request<B>,
) -> Option<Seat> {
    let taken = identity::take(request.headers_mut())?;
    let id = taken.stream()?;
    let connection = match known {
        Some(connection) if taken.is_of(connection.prefix()) => connection.clone(),
        _ => identity::find(taken.key()?)?,
    };
    let Some(slot) = taken.slot() else {
        connection.upload(|windows| windows.leave_to_hyper(id));
        return None;
    };
    let handle = Handle { slot, id };
    if let Some(field) = client_field(request.headers()) {
        connection.requested(handle, field);
    }
    Some(Seat { connection, handle })
}

/// Takes in what a response's headers and the application say of it.
pub(crate) fn hear<B>(seat: &Seat, rules: Option<&Rules>, response: &Response<B>) {
    let header = read_field(response.headers()).unwrap_or_default();
    let typed = match rules {
        Some(rules) => rules.by_content_type(response.headers()),
        None => PriorityOverride::new(),
    };
    let said = response.extensions().get::<PriorityOverride>().copied();
    let Seat { connection, handle } = seat;
    connection.respond(*handle, header, typed, said.unwrap_or_default());
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
    headers.get(&PRIORITY)?;
    let mut lines = headers.get_all(&PRIORITY).iter();
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
        let noted = outer.map(|outer| outer.seat().clone());
        let is_noted = noted.is_some();
        // A service further out may schedule this response already.
        let (mut seat, gates) = match noted {
            Some(seat) => (Some(seat), false),
            None => match take_seat(None, &mut request) {
                Some(seat) => (Some(seat), true),
                None => (current::seat(), false),
            },
        };
        let Some(place) = &seat else {
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
        place.connection.decide(place.handle, by_path, application);
        if !is_noted {
            let priority = StreamPriority::new(place.clone());
            request.extensions_mut().insert(priority);
        }
        PriorityFuture {
            inner: current::enter(&mut seat, || self.inner.call(request)),
            seat,
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
        let response = ready!(current::enter(this.seat, || this.inner.poll(cx)))?;
        let seat = this.seat.take();
        if let Some(seat) = &seat {
            hear(seat, this.rules.as_deref(), &response);
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
