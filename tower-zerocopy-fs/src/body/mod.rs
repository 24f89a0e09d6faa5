//! The response body: parts that are bytes, and parts that are ranges of a file.

#[cfg(target_os = "linux")]
pub(crate) mod pagemap;
mod reader;
#[cfg(target_os = "linux")]
pub(crate) mod sealed;
#[cfg(target_os = "linux")]
mod window;

use std::{
    collections::VecDeque,
    fmt, io,
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use self::reader::Reader;
use crate::{
    fs::file::OpenFile,
    http::range::ByteRange,
    metrics::{Counter, Metrics},
};

/// What the bodies of one service share.
#[derive(Debug)]
pub(crate) struct Delivering {
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// False where windows are not wanted, or were once read by a layer.
    pub(crate) windows: AtomicBool,
}

impl Delivering {
    pub(crate) fn count(&self, counter: Counter, n: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.add(counter, n);
        }
    }
}

/// The body of a response of [`ServeFiles`](crate::ServeFiles).
///
/// Knows its length. An error means that the file was truncated or changed while it was sent, or could not be read;
/// hyper then closes the connection, so that the client sees that the response is short. Dropping it stops all work but
/// a read already under way on the blocking pool.
pub struct Body(Kind);

enum Kind {
    /// At most one frame.
    Whole(Bytes),
    Parts(Box<Parts>),
    Foreign(UnsyncBoxBody<Bytes, io::Error>),
}

struct Parts {
    queue: VecDeque<Part>,
    /// Reads the range that is under way.
    reader: Option<Reader>,
    file: Arc<OpenFile>,
    delivering: Arc<Delivering>,
    remaining: u64,
}

/// A piece of a body of several.
pub(crate) enum Part {
    Bytes(Bytes),
    Range(ByteRange),
}

impl Body {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self(Kind::Whole(Bytes::new()))
    }

    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    /// A body of any other kind, such as a fallback's.
    pub(crate) fn foreign<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        use http_body_util::BodyExt;
        Self(Kind::Foreign(body.map_err(io::Error::other).boxed_unsync()))
    }

    /// One range of `file`.
    pub(crate) fn range(
        file: &Arc<OpenFile>,
        range: ByteRange,
        delivering: &Arc<Delivering>,
    ) -> Self {
        match file.resident() {
            Some(content) => Self::bytes(slice(file, content, range, delivering)),
            None => Self::parts(file, vec![Part::Range(range)], delivering),
        }
    }

    /// Parts of `file` and bytes between them. What is in memory is sliced, the rest is read as it is asked for.
    pub(crate) fn parts(
        file: &Arc<OpenFile>,
        parts: Vec<Part>,
        delivering: &Arc<Delivering>,
    ) -> Self {
        let length = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Range(range) => range.len(),
        };
        let mut queue: VecDeque<_> = parts.into_iter().filter(|part| length(part) > 0).collect();
        if let Some(content) = file.resident() {
            for part in &mut queue {
                if let Part::Range(range) = *part {
                    *part = Part::Bytes(slice(file, content, range, delivering));
                }
            }
        }
        let remaining = queue.iter().map(length).sum();
        Self(Kind::Parts(Box::new(Parts {
            queue,
            reader: None,
            file: Arc::clone(file),
            delivering: Arc::clone(delivering),
            remaining,
        })))
    }
}

/// A range of what is in memory.
fn slice(file: &OpenFile, content: &Bytes, range: ByteRange, delivering: &Delivering) -> Bytes {
    let counter = if file.heap.is_some() {
        Counter::heap_bytes
    } else {
        Counter::sealed_bytes
    };
    delivering.count(counter, range.len());
    content.slice(range.start as usize..range.end as usize)
}

impl Parts {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if let Some(reader) = &mut self.reader {
                match ready!(reader.poll_next(cx)) {
                    Some(Ok(bytes)) => {
                        self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                    Some(Err(error)) => {
                        // Nothing may follow a gap.
                        self.queue.clear();
                        self.reader = None;
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => self.reader = None,
                }
            }
            match self.queue.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Bytes(bytes)) => {
                    self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(Part::Range(range)) => {
                    self.reader = Some(Reader::new(&self.file, range, &self.delivering));
                }
            }
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Parts(parts) => parts.poll_next(cx).map_ok(Frame::data),
            Kind::Foreign(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Parts(parts) => parts.remaining == 0,
            Kind::Foreign(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Parts(parts) => SizeHint::with_exact(parts.remaining),
            Kind::Foreign(body) => body.size_hint(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Whole(_) => "whole",
            Kind::Parts(_) => "parts",
            Kind::Foreign(_) => "foreign",
        };
        f.debug_struct("Body")
            .field("kind", &kind)
            .field("remaining", &self.size_hint().exact())
            .finish_non_exhaustive()
    }
}
