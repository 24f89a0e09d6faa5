//! Bodies of responses that take a while: whether they come to their end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::{Body, Bytes};
use http::Response;
use http::header::CONTENT_TYPE;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::abort::Abort;
use super::end::End;

/// What is not larger is handed to the connection at once, or nearly so; what becomes of it then nobody here can see.
const LARGE: u64 = 64 * 1024;

/// Bodies that go on until somebody leaves, which is their end and nothing amiss.
const ENDLESS: [&str; 2] = ["text/event-stream", "multipart/x-mixed-replace"];

/// Whether the client may be gone before it has had all of a response.
pub(super) fn is_long(response: &Response<Body>) -> bool {
    // Most are over with this.
    if response
        .body()
        .size_hint()
        .exact()
        .is_some_and(|size| size <= LARGE)
    {
        return false;
    }
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    !response.body().is_end_stream() && !ENDLESS.iter().any(|endless| kind.starts_with(endless))
}

/// Has the rest of a request written when the body of its response ends.
pub(super) fn watch(response: Response<Body>, end: End) -> Response<Body> {
    response.map(|body| {
        Body::new(Counted {
            expected: body.size_hint().exact(),
            body,
            passed: 0,
            end: Some(end),
        })
    })
}

/// A body, and what is to be written when it ends.
struct Counted {
    body: Body,
    /// Bytes of all of it; `None` if nobody knows.
    expected: Option<u64>,
    /// Bytes that were handed to the connection so far.
    passed: u64,
    end: Option<End>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                self.passed += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Some(Err(_)) => {
                if let Some(end) = self.end.take() {
                    end.abort(self.passed, Abort::Source);
                }
            }
            None => {
                if let Some(end) = self.end.take() {
                    end.write(Some(self.passed), None);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(end) = self.end.take() else {
            return;
        };
        // Who has had all the bytes that there are does not ask for the end.
        if self.expected == Some(self.passed) || self.body.is_end_stream() {
            end.write(Some(self.passed), None);
        } else {
            end.abort(self.passed, Abort::Body);
        }
    }
}
