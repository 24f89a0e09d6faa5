//! Bodies that tell the connection what they are at.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{ActiveRequest, Connection, Shared};

pin_project! {
    /// A response's body that keeps its request active until it has ended.
    #[derive(Debug)]
    pub struct ActiveBody<B> {
        #[pin]
        body: B,
        request: Option<ActiveRequest>,
    }
}

impl<B> ActiveBody<B> {
    /// Keeps `request` active until `body` has ended or is dropped.
    pub fn new(body: B, request: ActiveRequest) -> Self {
        Self {
            body,
            request: Some(request),
        }
    }
}

impl<B: Body> Body for ActiveBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = this.body.poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) {
            *this.request = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// A request's body whose client is held to the rate of [`Limits::rate`](super::Limits::rate) while somebody waits
    /// for it.
    pub struct RatedBody<B> {
        #[pin]
        body: B,
        wait: Wait,
    }
}

/// Whether the connection is told that somebody waits.
struct Wait {
    connection: Arc<Shared>,
    waiting: bool,
}

impl Wait {
    fn set(&mut self, waiting: bool) {
        if waiting != self.waiting {
            self.waiting = waiting;
            match waiting {
                true => self.connection.starve(),
                false => self.connection.feed(),
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.set(false);
    }
}

impl<B> RatedBody<B> {
    /// Holds the client of `connection` to the rate.
    pub fn new(body: B, connection: &Connection) -> Self {
        let connection = Arc::clone(&connection.0);
        Self {
            body,
            wait: Wait {
                connection,
                waiting: false,
            },
        }
    }
}

impl<B: std::fmt::Debug> std::fmt::Debug for RatedBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RatedBody")
            .field("body", &self.body)
            .field("waiting", &self.wait.waiting)
            .finish_non_exhaustive()
    }
}

impl<B: Body> Body for RatedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = this.body.poll_frame(cx);
        this.wait.set(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
