//! Bodies that tell the connection what they are at.

use std::{sync::Arc, task::Poll};

use pin_project_lite::pin_project;

use super::{ActiveRequest, Connection, Shared};
use crate::watched::{Answer, watched};

pin_project! {
    /// A response's body that keeps its request active until it has ended.
    pub struct ActiveBody<B> {
        #[pin]
        inner: B,
        watch: UntilEnd,
    }
}

struct UntilEnd {
    request: Option<ActiveRequest>,
}

impl UntilEnd {
    fn saw<D, E>(&mut self, answer: &Answer<D, E>, _: impl FnOnce() -> bool) {
        if matches!(answer, Poll::Ready(None)) {
            self.request = None;
        }
    }
}

impl<B> ActiveBody<B> {
    /// Keeps `request` active until `body` has ended or is dropped.
    pub fn new(body: B, request: ActiveRequest) -> Self {
        Self {
            inner: body,
            watch: UntilEnd {
                request: Some(request),
            },
        }
    }
}

watched!(ActiveBody);

#[cfg(feature = "axum")]
pub(super) use self::owed::OwedBody;

#[cfg(feature = "axum")]
mod owed {
    use std::{
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
    };

    use ::axum::{
        Error,
        body::{Body, Bytes, HttpBody},
    };
    use http_body::{Frame, SizeHint};
    use pin_project_lite::pin_project;

    use crate::admission::ActiveRequest;

    pin_project! {
        /// A response's body over HTTP/2 that keeps its request active until h2 has let go of all of its data, which may wait
        /// there for the client's windows long after the body has ended.
        pub(in crate::admission) struct OwedBody {
            #[pin]
            inner: Body,
            request: Arc<ActiveRequest>,
        }
    }

    impl OwedBody {
        pub(in crate::admission) fn new(inner: Body, request: ActiveRequest) -> Self {
            Self {
                inner,
                request: Arc::new(request),
            }
        }
    }

    /// Bytes with the request that they answer.
    struct Owed {
        bytes: Bytes,
        _request: Arc<ActiveRequest>,
    }

    impl AsRef<[u8]> for Owed {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }

    impl HttpBody for OwedBody {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            let this = self.project();
            let owe = |bytes| {
                Bytes::from_owner(Owed {
                    bytes,
                    _request: Arc::clone(this.request),
                })
            };
            let polled = this.inner.poll_frame(cx);
            polled.map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(owe))))
        }

        fn is_end_stream(&self) -> bool {
            self.inner.is_end_stream()
        }

        fn size_hint(&self) -> SizeHint {
            self.inner.size_hint()
        }
    }
}

pin_project! {
    /// A request's body whose client is held to the rate of [`Limits::rate`](super::Limits::rate) while somebody waits
    /// for it. One that is dropped before its end has the connection linger when it ends.
    pub struct RatedBody<B> {
        #[pin]
        inner: B,
        watch: Wait,
    }
}

/// Whether the connection is told that somebody waits.
struct Wait {
    connection: Arc<Shared>,
    /// Which of the connection's requests the body is of.
    number: u32,
    waiting: bool,
    /// Nothing more will come.
    ended: bool,
}

impl Wait {
    fn saw<D, E>(&mut self, answer: &Answer<D, E>, is_last: impl FnOnce() -> bool) {
        self.set(answer.is_pending());
        self.ended = match answer {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(_))) => is_last(),
            Poll::Ready(_) => true,
        };
    }

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
        if !self.ended {
            self.connection.leave_unread(self.number);
        }
    }
}

impl<B> RatedBody<B> {
    /// Holds the client of `connection` to the rate. To be made before the request [begins](Connection::begin): the body is
    /// of the next one.
    pub fn new(body: B, connection: &Connection) -> Self {
        let connection = Arc::clone(&connection.0);
        Self {
            inner: body,
            watch: Wait {
                number: connection.requests().wrapping_add(1),
                connection,
                waiting: false,
                ended: false,
            },
        }
    }
}

watched!(RatedBody);
