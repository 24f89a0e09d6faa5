//! A body that has been read.

use std::{
    convert::Infallible,
    fmt,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::PooledBuf;

/// A whole request body in contiguous memory, with its trailers.
///
/// Dereferences to its bytes. As an [`http_body::Body`] it is one frame of data, then the trailers.
#[derive(Default)]
pub struct PooledBody {
    content: Content,
    trailers: Option<HeaderMap>,
}

#[derive(Default)]
pub(super) enum Content {
    #[default]
    Empty,
    /// The only frame, as it came.
    Frame(Bytes),
    /// Several frames, copied.
    Pooled(PooledBuf),
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Frame(bytes) => bytes,
            Self::Pooled(buffer) => buffer,
        }
    }
}

impl PooledBody {
    pub(super) fn new(content: Content, trailers: Option<HeaderMap>) -> Self {
        Self { content, trailers }
    }

    /// The bytes, without a copy: one allocation when they are in a pooled buffer, none otherwise.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.content.into_bytes()
    }

    /// Whether the bytes were copied into a pooled buffer; a body of one frame is not.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        matches!(self.content, Content::Pooled(_))
    }

    /// The trailers, if any came.
    #[must_use]
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }
}

impl Content {
    fn into_bytes(self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Frame(bytes) => bytes,
            Self::Pooled(buffer) => buffer.freeze(),
        }
    }
}

impl Deref for PooledBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.content
    }
}

impl AsRef<[u8]> for PooledBody {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let content = std::mem::take(&mut self.content);
        if !content.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(content.into_bytes()))));
        }
        Poll::Ready(
            self.trailers
                .take()
                .map(|trailers| Ok(Frame::trailers(trailers))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.len() as u64)
    }
}

impl fmt::Debug for PooledBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBody")
            .field("len", &self.len())
            .field("pooled", &self.is_pooled())
            .field("trailers", &self.trailers.is_some())
            .finish()
    }
}
