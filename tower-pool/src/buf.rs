//! A buffer that comes home by itself.

use std::{
    fmt, io,
    ops::{Deref, DerefMut},
    panic::Location,
};

use bytes::{Buf, Bytes};

use crate::{
    depot::Depot,
    error::AcquireError,
    leak::Tracker,
    pool::{Fit, Shared},
    raw::{
        block::Block,
        held::{Held, Home},
        shared::Lease,
    },
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
    pub(crate) held: Held<Block, Shared>,
}

impl PooledBuf {
    #[inline(always)]
    pub(crate) fn new(
        lease: Lease<Block, Shared>,
        class: Option<usize>,
        mut block: Block,
        location: &'static Location<'static>,
    ) -> Self {
        // By the new owner, which will write to it anyway, rather than by the last one, whose thread
        // may be another: that would take the cache line there and back.
        block.forget_contents();
        // What is rare here and at the end of the buffer takes values and returns them: a reference would keep
        // them out of registers in the usual case too.
        if let Some(tracker) = &lease.extra.tracker {
            block = track(tracker, block, location);
        }
        Self {
            held: Held::new(lease, class, block),
        }
    }

    /// Bytes that can be read.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
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
        self.held.size()
    }

    /// Shortens the readable part to `length` bytes; a longer length changes nothing.
    pub fn truncate(&mut self, length: usize) {
        self.held.truncate(length);
    }

    /// Forgets all bytes; the capacity stays.
    pub fn clear(&mut self) {
        self.held.forget_contents();
    }

    /// Appends `bytes`, growing when they do not fit.
    ///
    /// # Errors
    /// As [`Self::reserve`]; nothing is appended then.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> Result<(), AcquireError> {
        if self.held.append(bytes) {
            return Ok(());
        }
        self.grow_and_append(bytes)
    }

    #[cold]
    fn grow_and_append(&mut self, bytes: &[u8]) -> Result<(), AcquireError> {
        self.reserve(bytes.len())?;
        self.held.append(bytes);
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
        let block = self.held.depot().take_more(fit.class, fit.size)?;
        self.move_to(block, fit)
    }

    /// The block that room for `additional` more bytes takes, or `None` when there is room.
    pub(crate) fn growth(&mut self, additional: usize) -> Result<Option<Fit>, AcquireError> {
        if additional <= self.held.spare() {
            return Ok(None);
        }
        let size = self.held.size();
        let needed = self.len().saturating_add(additional);
        // Moving down pays when at least half the block was consumed.
        if needed <= size && self.held.consumed() >= self.len() {
            self.held.reclaim();
            return Ok(None);
        }
        // The block at hand is let go only when its bytes have moved: both are below the limit at once.
        let depot = self.held.depot();
        let limit = depot.limit();
        let room = limit - size.min(limit);
        let refused = |limit| AcquireError::TooLarge {
            requested: needed,
            limit,
        };
        if needed > limit {
            return Err(refused(limit));
        }
        let mut fit = depot.fit(needed.max(size.saturating_add(1)));
        if fit.class.is_none() {
            // Beyond the classes double, unless that breaks the limit.
            let doubled = depot.fit(needed.max(size.saturating_mul(2))).size;
            if doubled <= limit / 2 {
                fit.size = doubled;
            }
            fit.size = fit.size.min(room.max(needed));
        }
        if fit.size > room {
            return Err(refused(size));
        }
        Ok(Some(fit))
    }

    /// Moves the readable bytes to `block`, or a new one; its cost was charged and its use counted.
    pub(crate) fn move_to(&mut self, block: Option<Block>, fit: Fit) -> Result<(), AcquireError> {
        let Some(mut block) = block.or_else(|| Block::new(fit.size)) else {
            let depot = self.held.depot();
            if let Some(class) = fit.class {
                depot.uncount_use(class);
            }
            depot.uncharge(fit.size);
            return Err(AcquireError::OutOfMemory);
        };
        block.forget_contents();
        block.append(self.held.bytes());
        block.set_ticket(self.held.ticket());
        let (old_class, mut old) = self.held.replace(fit.class, block);
        let depot = self.held.depot();
        depot.extra.clean(&mut old);
        match old_class {
            Some(class) => depot.give_slowly(class, old),
            None => {
                let size = old.size();
                drop(old);
                depot.uncharge(size);
            }
        }
        Ok(())
    }

    /// Counts the use of a block that the queue granted for growth.
    pub(crate) fn count_growth(&self, fit: Fit) {
        self.held.depot().count_use(fit.class);
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
}

#[cold]
#[inline(never)]
fn track(tracker: &Tracker, mut block: Block, location: &'static Location<'static>) -> Block {
    block.set_ticket(tracker.note(location));
    block
}

impl Home<Block> for Shared {
    #[inline(always)]
    fn take_back(mut lease: Lease<Block, Self>, class: Option<usize>, mut block: Block) {
        if lease.extra.keeps_account {
            (lease, block) = settle(lease, block);
        }
        match class {
            Some(class) => Depot::give(lease, class, block),
            None => free(lease, block),
        }
    }
}

/// Ends the tracking of a block and wipes it, where that is asked for.
#[cold]
#[inline(never)]
fn settle(lease: Lease<Block, Shared>, mut block: Block) -> (Lease<Block, Shared>, Block) {
    if let Some(tracker) = &lease.extra.tracker {
        tracker.forget(block.ticket());
    }
    lease.extra.clean(&mut block);
    (lease, block)
}

/// A block of no class is not kept.
#[cold]
fn free(lease: Lease<Block, Shared>, block: Block) {
    let size = block.size();
    drop(block);
    Depot::give_nothing(lease, None, size);
}

impl Deref for PooledBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.held.bytes()
    }
}

impl DerefMut for PooledBuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.held.bytes_mut()
    }
}

impl AsRef<[u8]> for PooledBuf {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.held.bytes()
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
        self.held.bytes()
    }

    fn advance(&mut self, count: usize) {
        self.held.consume(count);
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
