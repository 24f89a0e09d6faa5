//! Writing a response body into pooled memory.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    io::{self, Write},
    panic::Location,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{AcquireError, Pool, PooledBuf};

/// An [`io::Write`] into pooled memory.
///
/// Up to the pool's largest class the bytes are contiguous, and outgrowing a buffer moves them to one
/// of the next class; beyond it each further block joins a chain, without copying.
///
/// Writing does not wait for memory: at the pool's limit it fails with an [`AcquireError`] inside the
/// [`io::Error`]. What is left below the limit it takes ahead of those who wait, for a response lets go of
/// what its request holds. Where bodies may fill a pool for long, give responses a pool of their own.
pub struct PooledWriter {
    pool: Pool,
    location: &'static Location<'static>,
    full: VecDeque<PooledBuf>,
    current: PooledBuf,
    /// Bytes in `full`.
    before: u64,
}

impl PooledWriter {
    /// A writer that starts with room for `capacity` bytes, at most the largest class.
    ///
    /// # Errors
    /// As [`Pool::try_acquire`], but that others wait is none.
    #[track_caller]
    pub fn new(pool: &Pool, capacity: usize) -> Result<Self, AcquireError> {
        let location = Location::caller();
        let capacity = capacity.min(pool.largest_class());
        let current = pool.try_acquire_ahead(capacity, location)?;
        Ok(Self {
            pool: pool.clone(),
            location,
            full: VecDeque::new(),
            current,
            before: 0,
        })
    }

    /// Bytes written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.before + self.current.len() as u64
    }

    /// The bytes as a body: one frame a block, each block freed when its frame has been sent.
    #[must_use]
    pub fn into_body(self) -> WriterBody {
        let remaining = self.written();
        WriterBody {
            full: self.full,
            last: Some(self.current),
            remaining,
        }
    }

    /// The bytes as [`Bytes`] when they are in one block, which all are up to the largest class.
    ///
    /// # Errors
    /// Gives the writer back when there are several blocks.
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        if self.full.is_empty() {
            Ok(self.current.freeze())
        } else {
            Err(self)
        }
    }

    #[cold]
    fn append_slowly(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let largest = self.pool.largest_class();
        if self.current.len() + bytes.len() <= largest {
            self.current.extend_from_slice(bytes)?;
            return Ok(());
        }
        while !bytes.is_empty() {
            if self.current.len() >= largest {
                let next = self.pool.try_acquire_ahead(largest, self.location)?;
                self.before += self.current.len() as u64;
                self.full
                    .push_back(std::mem::replace(&mut self.current, next));
            }
            let (head, rest) = bytes.split_at(bytes.len().min(largest - self.current.len()));
            self.current.extend_from_slice(head)?;
            bytes = rest;
        }
        Ok(())
    }
}

impl Write for PooledWriter {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.current.held.append(bytes) {
            return Ok(());
        }
        self.append_slowly(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for PooledWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledWriter")
            .field("written", &self.written())
            .field("blocks", &(self.full.len() + 1))
            .finish_non_exhaustive()
    }
}

/// What a [`PooledWriter`] wrote, as an [`http_body::Body`].
#[derive(Debug)]
pub struct WriterBody {
    full: VecDeque<PooledBuf>,
    last: Option<PooledBuf>,
    remaining: u64,
}

impl Body for WriterBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.full.pop_front() {
            Some(block) => Some(block),
            None => self.last.take().filter(|block| !block.is_empty()),
        };
        Poll::Ready(next.map(|block| {
            self.remaining -= block.len() as u64;
            Ok(Frame::data(block.freeze()))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
