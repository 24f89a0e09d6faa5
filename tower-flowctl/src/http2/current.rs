//! The stream whose request is answered on this thread, for whoever asks while that goes on.
//!
//! To put it into each request's extensions costs three allocations. So it stands in the thread while the service is called
//! and while its future is polled, and goes into the extensions only where a [`PriorityLayer`](super::PriorityLayer) is.

use std::cell::Cell;

use super::{Priority, PriorityOverride, connection::Seat};

thread_local! {
    static CURRENT: Cell<Option<Seat>> = const { Cell::new(None) };
}

/// Does something for the stream of a seat, which is there again afterwards.
#[inline]
pub(crate) fn enter<T>(seat: &mut Option<Seat>, act: impl FnOnce() -> T) -> T {
    if seat.is_none() {
        return act();
    }
    let outer = CURRENT.replace(seat.take());
    let _entered = Entered { seat, outer };
    act()
}

/// Undoes it, also when a handler panics.
struct Entered<'a> {
    seat: &'a mut Option<Seat>,
    outer: Option<Seat>,
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.seat = CURRENT.replace(self.outer.take());
    }
}

/// The seat of the request that is answered.
pub(crate) fn seat() -> Option<Seat> {
    let seat = CURRENT.take();
    CURRENT.set(seat.clone());
    seat
}

/// A request's stream and its priority.
///
/// A handler has it by [`StreamPriority::current`], in axum also as an extractor, and behind a
/// [`PriorityLayer`](super::PriorityLayer) in the request's extensions.
///
/// ```
/// use tower_flowctl::http2::{PriorityOverride, StreamPriority};
///
/// async fn handler(_: http::Request<()>) -> http::Response<String> {
///     let mut text = "not scheduled".to_owned();
///     if let Some(stream) = StreamPriority::current() {
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
    pub(crate) fn new(seat: Seat) -> Self {
        Self { seat }
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// That of the request which is being answered: by a service that is called, or a future of one that is polled, under
    /// `serve` or a [`PriorityLayer`](super::PriorityLayer). `None` where responses are not scheduled, as
    /// over HTTP/1, and in tasks and bodies, which get it from the handler that makes them.
    ///
    /// A request that a handler makes itself and hands to a service behind a `PriorityLayer` is answered on the same stream: that
    /// layer's rules and the request's `priority` field then count for the response that the handler is about to give.
    #[must_use]
    pub fn current() -> Option<Self> {
        seat().map(Self::new)
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

#[cfg(feature = "axum")]
mod extract {
    use axum::{
        extract::{FromRequestParts, OptionalFromRequestParts},
        http::{StatusCode, request::Parts},
    };

    use super::StreamPriority;

    /// Rejects requests whose responses are not scheduled; `Option<StreamPriority>` takes them all.
    impl<S: Sync> FromRequestParts<S> for StreamPriority {
        type Rejection = (StatusCode, &'static str);

        async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
            find(parts).ok_or((
                StatusCode::INTERNAL_SERVER_ERROR,
                "the response is not scheduled by priority",
            ))
        }
    }

    impl<S: Sync> OptionalFromRequestParts<S> for StreamPriority {
        type Rejection = std::convert::Infallible;

        async fn from_request_parts(
            parts: &mut Parts,
            _: &S,
        ) -> Result<Option<Self>, Self::Rejection> {
            Ok(find(parts))
        }
    }

    fn find(parts: &Parts) -> Option<StreamPriority> {
        let noted = parts.extensions.get::<StreamPriority>().cloned();
        noted.or_else(StreamPriority::current)
    }
}
