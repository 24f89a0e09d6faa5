//! A buffer that comes home by itself.

use std::{
    fmt, io,
    ops::{Deref, DerefMut},
    panic::Location,
};

use bytes::{Buf, Bytes};

use crate::{
    core::Core,
    error::AcquireError,
    pool::{Fit, Shared},
    raw::{block::Block, shared::Lease},
};

/// A byte buffer out of a [`Pool`](crate::Pool). Dropping it gives the memory back.
///
/// - Reading: it dereferences to the bytes written and not yet consumed, and is a [`Buf`].
/// - Writing: [`extend_from_slice`](Self::extend_from_slice), [`reserve`](Self::reserve) and
///   [`io::Write`] grow across size classes, by moving to a larger block. [`bytes::BufMut`] writes
///   into the block at hand and does not grow, since it could not report that the pool's limit is
///   reached: `reserve` first.
/// - [`freeze`](Self::freeze) turns it into [`Bytes`] with one allocation and no copy.
///
/// Only bytes that were written through this very buffer can be read from it.
pub struct PooledBuf {
    pub(crate) block: Block,
    /// Bytes consumed at the front.
    start: usize,
    class: Option<usize>,
    /// 0 without leak tracking.
    ticket: u64,
    /// Gone only while dropping.
    lease: Option<Lease<Block, Shared>>,
}

impl PooledBuf {
    #[inline]
    pub(crate) fn new(
        lease: Lease<Block, Shared>,
        block: Block,
        fit: Fit,
        location: &'static Location<'static>,
    ) -> Self {
        let ticket = match &lease.extra.tracker {
            None => 0,
            Some(tracker) => tracker.note(location),
        };
        Self {
            block,
            start: 0,
            class: fit.class,
            ticket,
            lease: Some(lease),
        }
    }

    /// Bytes that can be read.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.block.written() - self.start
    }

    /// Whether nothing can be read.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the block: what has been consumed, what can be read, and what is spare.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.block.size()
    }

    /// Shortens the readable part to `length` bytes; a longer length changes nothing.
    pub fn truncate(&mut self, length: usize) {
        self.block.truncate(self.start.saturating_add(length));
    }

    /// Forgets all bytes; the capacity stays.
    pub fn clear(&mut self) {
        self.start = 0;
        self.block.forget_contents();
    }

    /// Appends `bytes`, growing when they do not fit.
    ///
    /// # Errors
    /// As [`Self::reserve`]; nothing is appended then.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> Result<(), AcquireError> {
        if self.block.append(bytes) {
            return Ok(());
        }
        self.grow_and_append(bytes)
    }

    #[cold]
    fn grow_and_append(&mut self, bytes: &[u8]) -> Result<(), AcquireError> {
        self.reserve(bytes.len())?;
        self.block.append(bytes);
        Ok(())
    }

    /// Makes room for `additional` more bytes: the consumed front is reclaimed when that is enough,
    /// otherwise the bytes move to a block of a larger class. The time is that of copying the
    /// readable bytes. A buffer that is out goes ahead of those who wait for a first one.
    ///
    /// # Errors
    /// [`AcquireError::Exhausted`] when the pool's limit is reached (this never waits),
    /// [`TooLarge`](AcquireError::TooLarge) when it could never be had,
    /// [`OutOfMemory`](AcquireError::OutOfMemory). The buffer is as it was then.
    pub fn reserve(&mut self, additional: usize) -> Result<(), AcquireError> {
        let Some(fit) = self.growth(additional)? else {
            return Ok(());
        };
        let Some(lease) = &self.lease else {
            return Err(AcquireError::Closed);
        };
        let block = lease.take_more(fit.class, fit.size)?;
        self.move_to(block, fit)
    }

    /// The block that room for `additional` more bytes takes, or `None` when there is room.
    pub(crate) fn growth(&mut self, additional: usize) -> Result<Option<Fit>, AcquireError> {
        if additional <= self.block.size() - self.block.written() {
            return Ok(None);
        }
        let Some(lease) = &self.lease else {
            return Err(AcquireError::Closed);
        };
        let limit = lease.limit();
        let length = self.len();
        let needed = length.saturating_add(additional);
        // Moving down pays when at least half the block was consumed.
        if needed <= self.block.size() && self.start >= length {
            self.block.bytes_mut().copy_within(self.start.., 0);
            self.block.truncate(length);
            self.start = 0;
            return Ok(None);
        }
        // Beyond the classes double, unless that breaks the limit.
        let mut fit = lease
            .extra
            .fit(needed.max(self.block.size().saturating_add(1)));
        if fit.class.is_none() {
            let doubled = lease
                .extra
                .fit(needed.max(self.block.size().saturating_mul(2)));
            if doubled.size <= limit / 2 {
                fit = doubled;
            }
        }
        if fit.size > limit {
            return Err(AcquireError::TooLarge {
                requested: needed,
                limit,
            });
        }
        Ok(Some(fit))
    }

    /// Moves the readable bytes to `block`, or a new one; its cost was charged and its use counted.
    pub(crate) fn move_to(&mut self, block: Option<Block>, fit: Fit) -> Result<(), AcquireError> {
        let Some(lease) = &self.lease else {
            return Err(AcquireError::Closed);
        };
        let Some(mut block) = block.or_else(|| Block::new(fit.size)) else {
            if let Some(class) = fit.class {
                lease.uncount_use(class);
            }
            lease.uncharge(fit.size);
            return Err(AcquireError::OutOfMemory);
        };
        block.append(&self.block.bytes()[self.start..]);
        self.start = 0;
        let mut old = std::mem::replace(&mut self.block, block);
        let old_class = std::mem::replace(&mut self.class, fit.class);
        lease.extra.clean(&mut old);
        match old_class {
            Some(class) => lease.give_slowly(class, old),
            None => {
                let size = old.size();
                drop(old);
                lease.uncharge(size);
            }
        }
        Ok(())
    }

    /// Counts the use of a block that the queue granted for growth.
    pub(crate) fn count_growth(&self, fit: Fit) {
        if let Some(lease) = &self.lease {
            lease.count_use(fit.class);
        }
    }

    /// The readable bytes as [`Bytes`], without a copy; the memory comes home when the last clone or
    /// slice is dropped.
    ///
    /// Costs one allocation (72 bytes on 64-bit), which [`Bytes::from_owner`] makes for its count: the
    /// public interface of `bytes` has no way to free with a hook and without one. An empty buffer
    /// costs none and goes home at once.
    #[must_use]
    pub fn freeze(self) -> Bytes {
        if self.is_empty() {
            return Bytes::new();
        }
        Bytes::from_owner(self)
    }

    /// Bytes consumed at the front are not shown.
    #[inline]
    fn readable(&self) -> &[u8] {
        &self.block.bytes()[self.start..]
    }
}

impl Drop for PooledBuf {
    #[inline]
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        if self.ticket != 0
            && let Some(tracker) = &lease.extra.tracker
        {
            tracker.forget(self.ticket);
        }
        let mut block = std::mem::replace(&mut self.block, Block::empty());
        lease.extra.clean(&mut block);
        match self.class {
            Some(class) => Core::give(lease, class, block),
            None => {
                let size = block.size();
                drop(block);
                Core::give_nothing(lease, None, size);
            }
        }
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.readable()
    }
}

impl DerefMut for PooledBuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        let start = self.start;
        &mut self.block.bytes_mut()[start..]
    }
}

impl AsRef<[u8]> for PooledBuf {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.readable()
    }
}

impl AsMut<[u8]> for PooledBuf {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Buf for PooledBuf {
    #[inline]
    fn remaining(&self) -> usize {
        self.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.readable()
    }

    fn advance(&mut self, count: usize) {
        assert!(
            count <= self.len(),
            "cannot advance by {count} bytes: only {} remain",
            self.len()
        );
        self.start += count;
    }
}

/// Grows as needed; a full pool is an error of kind [`io::ErrorKind::OutOfMemory`].
impl io::Write for PooledBuf {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes)?;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows lengths only: the content may be confidential.
impl fmt::Debug for PooledBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBuf")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
