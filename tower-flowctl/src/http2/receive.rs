//! Request bodies that tell when they are read.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{Method, Request};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{StreamPriority, connection::Seat};

/// Puts [`RequestBody`] around what hyper hands out; right below [`PriorityService`](super::PriorityService).
#[derive(Clone, Debug)]
pub(crate) struct ReceiveService<S> {
    inner: S,
    keeps_windows: bool,
}

impl<S> ReceiveService<S> {
    pub(crate) fn new(inner: S, keeps_windows: bool) -> Self {
        Self {
            inner,
            keeps_windows,
        }
    }
}

impl<S, B> Service<Request<B>> for ReceiveService<S>
where
    S: Service<Request<RequestBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let upload = if self.keeps_windows {
            upload(&request)
        } else {
            None
        };
        self.inner
            .call(request.map(|inner| RequestBody { inner, upload }))
    }
}

/// A request's part in the windows of its connection, if it has a body that can be followed.
fn upload<B>(request: &Request<B>) -> Option<Upload> {
    let seat = request.extensions().get::<StreamPriority>()?.seat();
    let stream = seat.handle.id;
    if request.method() == Method::CONNECT {
        // Its bytes go through the upgraded connection, of which hyper does not tell.
        seat.connection
            .upload(|windows| windows.leave_to_hyper(stream));
        return None;
    }
    let has_body = seat.connection.upload(|windows| windows.govern(stream))?;
    has_body.then(|| Upload { seat: seat.clone() })
}

pin_project! {
    /// The request body that [`serve`](crate::serve()) hands to the service: hyper's, and what is read of it goes into the
    /// client's windows when there is a [`ReceiveBudget`](super::ReceiveBudget).
    ///
    /// Errors are the inner body's. Dropping it stops the upload.
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        upload: Option<Upload>,
    }
}

/// The upload's part in its connection's windows.
struct Upload {
    seat: Seat,
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Seat { connection, handle } = &self.seat;
        connection.upload(|windows| windows.over(handle.id));
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Upload { seat }) = this.upload {
            match &frame {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        let Seat { connection, handle } = seat;
                        connection.upload(|windows| windows.read(handle.id, data.remaining()));
                    }
                }
                _ => *this.upload = None,
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: fmt::Debug> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
