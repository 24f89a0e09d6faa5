//! Request bodies that tell when they are read.

use std::task::{Context, Poll};

use bytes::Buf;
use http::{Method, Request};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{connection::Seat, current};
use crate::watched::{Answer, watched};

/// Puts [`RequestBody`] around what hyper hands out, for the request that is [current](super::current).
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

    // A call of its own would copy the request twice more.
    #[inline(always)]
    fn call(&mut self, request: Request<B>) -> S::Future {
        let upload = if self.keeps_windows {
            upload(&request)
        } else {
            None
        };
        let watch = Reading { upload };
        self.inner
            .call(request.map(|inner| RequestBody { inner, watch }))
    }
}

/// A request's part in the windows of its connection, if it has a body that can be followed.
fn upload<B>(request: &Request<B>) -> Option<Upload> {
    let seat = current::seat()?;
    let stream = seat.handle.id;
    if request.method() == Method::CONNECT {
        // Its bytes go through the upgraded connection, of which hyper does not tell.
        seat.connection
            .upload(|windows| windows.leave_to_hyper(stream));
        return None;
    }
    let has_body = seat.connection.upload(|windows| windows.govern(stream))?;
    has_body.then_some(Upload { seat })
}

pin_project! {
    /// The request body that [`serve`](crate::serve()) hands to the service: hyper's, and what is read of it goes into the
    /// client's windows when there is a [`ReceiveBudget`](super::ReceiveBudget).
    ///
    /// Errors are the inner body's. Dropping it stops the upload.
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        watch: Reading,
    }
}

watched!(RequestBody);

struct Reading {
    upload: Option<Upload>,
}

impl Reading {
    fn saw<D: Buf, E>(&mut self, answer: &Answer<D, E>, _: impl FnOnce() -> bool) {
        let (Some(Upload { seat }), Poll::Ready(frame)) = (&self.upload, answer) else {
            return;
        };
        let Some(Ok(frame)) = frame else {
            self.upload = None;
            return;
        };
        if let Some(data) = frame.data_ref() {
            let Seat { connection, handle } = seat;
            connection.upload(|windows| windows.read(handle.id, data.remaining()));
        }
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
