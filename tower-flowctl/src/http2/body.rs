//! A response body that waits for its turn.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::connection::Seat;

pin_project! {
    /// The response body of [`PriorityService`](super::PriorityService).
    ///
    /// Data passes in pieces, as the connection's scheduler grants them. Trailers pass behind it. Without a scheduler,
    /// as over HTTP/1, everything passes as it is.
    pub struct PriorityBody<B> {
        #[pin]
        inner: B,
        gate: Option<Gate>,
    }
}

/// The scheduled part of a body. Its end is told to the scheduler whichever way it comes.
struct Gate {
    seat: Seat,
    /// Data that waits.
    data: Bytes,
    /// Whether the scheduler may believe that this response will ask again.
    asked: bool,
}

impl Gate {
    fn rest(&mut self) {
        if std::mem::take(&mut self.asked) {
            self.seat.connection.withdraw(self.seat.handle);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.rest();
    }
}

impl<B> PriorityBody<B> {
    pub(crate) fn new(inner: B, seat: Option<Seat>) -> Self {
        Self {
            inner,
            gate: seat.map(|seat| Gate {
                seat,
                data: Bytes::new(),
                asked: false,
            }),
        }
    }

    /// The body inside, where nothing holds it back: over HTTP/1, and under a service further out that schedules it
    /// already, as the serve loop of this crate does. There this wrapper does nothing, and need not be boxed.
    ///
    /// # Errors
    /// This body itself, when it waits for its turn here.
    pub fn into_inner(self) -> Result<B, Self> {
        match self.gate {
            None => Ok(self.inner),
            Some(_) => Err(self),
        }
    }
}

impl<B: Body<Data = Bytes>> Body for PriorityBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(gate) = this.gate else {
            return this.inner.poll_frame(cx);
        };
        if gate.data.is_empty() {
            let frame = match this.inner.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => {
                    gate.rest();
                    return other;
                }
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(data) => gate.data = data,
                Err(other) => {
                    gate.rest();
                    return Poll::Ready(Some(Ok(other)));
                }
            }
        }
        let last = this.inner.is_end_stream();
        let available = gate.data.len();
        gate.asked = true;
        let granted = ready!(
            gate.seat
                .connection
                .poll_send(gate.seat.handle, available, last, cx)
        );
        let piece = gate.data.split_to(granted);
        if last && gate.data.is_empty() {
            gate.asked = false;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.gate.as_ref().is_none_or(|gate| gate.data.is_empty()) && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        let kept = self.gate.as_ref().map_or(0, |gate| gate.data.len()) as u64;
        if kept > 0 {
            if let Some(upper) = hint.upper() {
                hint.set_upper(upper + kept);
            }
            hint.set_lower(hint.lower() + kept);
        }
        hint
    }
}

impl<B: Default> Default for PriorityBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: fmt::Debug> fmt::Debug for PriorityBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriorityBody")
            .field("inner", &self.inner)
            .field(
                "stream",
                &self.gate.as_ref().map(|gate| gate.seat.handle.id),
            )
            .finish()
    }
}
