//! One aligned allocation.
//!
//! Invariants of [`Block`]: `data` points to `size > 0` bytes of a live allocation made with
//! [`Block::layout`], owned by this value alone; the first `written` bytes are initialised;
//! `consumed <= written`. [`Block::bytes`] shows the part written and not consumed and nothing else, so
//! what an earlier owner left behind cannot be read: [`Block::forget_contents`] sets both back to 0
//! when a block gets a new one.
//!
//! A block is one word, with its particulars in an allocation of their own, made and freed with it:
//! acquiring and releasing moves one word, not six.

use std::{
    alloc::{Layout, alloc, dealloc},
    fmt,
    mem::MaybeUninit,
    ptr::NonNull,
    slice,
};

/// The alignment of every block in bytes: a cache line.
pub(crate) const ALIGN: usize = 64;

pub(crate) struct Block(Box<Inner>);

struct Inner {
    data: NonNull<u8>,
    size: usize,
    written: usize,
    consumed: usize,
    ticket: u64,
}

// SAFETY: a block owns its memory alone and holds plain bytes.
unsafe impl Send for Block {}
// SAFETY: through `&Block` the memory is only read.
unsafe impl Sync for Block {}

impl Block {
    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size, ALIGN).ok()
    }

    /// Allocates `size` bytes, or `None` when that is 0, the allocator has none, or it overflows `isize`.
    pub(crate) fn new(size: usize) -> Option<Self> {
        if size == 0 {
            return None;
        }
        let layout = Self::layout(size)?;
        // SAFETY: the layout's size is not 0.
        let data = NonNull::new(unsafe { alloc(layout) })?;
        Some(Self(Box::new(Inner {
            data,
            size,
            written: 0,
            consumed: 0,
            ticket: 0,
        })))
    }

    /// Bytes allocated.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.0.size
    }

    /// What leak tracking calls this acquisition; 0 without.
    #[inline]
    pub(crate) fn ticket(&self) -> u64 {
        self.0.ticket
    }

    #[inline]
    pub(crate) fn set_ticket(&mut self, ticket: u64) {
        self.0.ticket = ticket;
    }

    /// Bytes written and not consumed.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.written - self.0.consumed
    }

    /// Bytes consumed at the front.
    #[inline]
    pub(crate) fn consumed(&self) -> usize {
        self.0.consumed
    }

    /// Bytes that can still be written.
    #[inline]
    pub(crate) fn spare(&self) -> usize {
        self.0.size - self.0.written
    }

    /// The bytes written and not consumed.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        let inner = &*self.0;
        // SAFETY: `consumed <= written`, and the first `written` bytes are initialised and owned.
        unsafe {
            slice::from_raw_parts(
                inner.data.as_ptr().add(inner.consumed),
                inner.written - inner.consumed,
            )
        }
    }

    /// The bytes written and not consumed, to change.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let inner = &mut *self.0;
        // SAFETY: as in `bytes`, and `&mut self` makes the access unique.
        unsafe {
            slice::from_raw_parts_mut(
                inner.data.as_ptr().add(inner.consumed),
                inner.written - inner.consumed,
            )
        }
    }

    /// The part not written yet.
    #[inline]
    pub(crate) fn spare_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let inner = &mut *self.0;
        // SAFETY: `written <= size`, so the range lies in the allocation; it is handed out as
        // possibly uninitialised; `&mut self` makes the access unique.
        unsafe {
            slice::from_raw_parts_mut(
                inner.data.as_ptr().add(inner.written).cast(),
                inner.size - inner.written,
            )
        }
    }

    /// Appends `bytes` and says whether they fitted; nothing is written when they do not.
    #[inline]
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        let inner = &mut *self.0;
        if bytes.len() > inner.size - inner.written {
            return false;
        }
        // SAFETY: the target range lies in the allocation (checked above); it cannot overlap
        // `bytes`, because a borrow of this block's bytes would forbid `&mut self`.
        unsafe {
            inner
                .data
                .as_ptr()
                .add(inner.written)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        inner.written += bytes.len();
        true
    }

    /// Counts `count` bytes of [`Self::spare_mut`] as written.
    ///
    /// # Safety
    /// The first `count` bytes of the spare part have been initialised.
    ///
    /// # Panics
    /// When `count` exceeds the spare part.
    #[inline]
    pub(crate) unsafe fn advance(&mut self, count: usize) {
        assert!(
            count <= self.spare(),
            "cannot advance by {count} bytes: only {} are spare",
            self.spare()
        );
        self.0.written += count;
    }

    /// Consumes `count` bytes at the front.
    ///
    /// # Panics
    /// When there are fewer.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        assert!(
            count <= self.len(),
            "cannot advance by {count} bytes: only {} remain",
            self.len()
        );
        self.0.consumed += count;
    }

    /// Shortens the unconsumed part to `length`; longer lengths change nothing.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        let inner = &mut *self.0;
        inner.written = inner.written.min(inner.consumed.saturating_add(length));
    }

    /// Moves the unconsumed bytes to the front, over the consumed ones.
    pub(crate) fn reclaim(&mut self) {
        let inner = &mut *self.0;
        let length = inner.written - inner.consumed;
        // SAFETY: both ranges lie in the written part of the allocation; `copy` allows that they overlap.
        unsafe {
            let data = inner.data.as_ptr();
            data.copy_from(data.add(inner.consumed), length);
        }
        inner.consumed = 0;
        inner.written = length;
    }

    /// Makes the block empty: what was written can no longer be read.
    #[inline]
    pub(crate) fn forget_contents(&mut self) {
        self.0.written = 0;
        self.0.consumed = 0;
    }

    /// Overwrites every byte of the block with zero, in a way that the optimiser keeps even when
    /// the block is freed next.
    pub(crate) fn zero(&mut self) {
        // SAFETY: the whole allocation is owned, and `&mut self` makes the access unique.
        unsafe { self.0.data.as_ptr().write_bytes(0, self.0.size) };
        // The pointer escapes here, so the stores above may have been seen and must be made.
        std::hint::black_box(self.0.data);
        self.forget_contents();
    }

    /// Gives the pages wholly inside the block back to the kernel; the contents are lost.
    ///
    /// Freeing alone often keeps the pages in the allocator's heap. Returns the bytes given back.
    #[cfg(target_os = "linux")]
    pub(crate) fn release_pages(&mut self) -> usize {
        self.forget_contents();
        let page = rustix::param::page_size();
        let start = self.0.data.as_ptr() as usize;
        let first = start.next_multiple_of(page);
        let last = (start + self.0.size) / page * page;
        if last <= first {
            return 0;
        }
        // SAFETY: the range is whole pages inside the allocation that this block owns alone. After
        // MADV_DONTNEED they read as zeros, which is as good as any content of an unwritten part;
        // the allocator's own bookkeeping lies outside of a live allocation's bytes.
        let advised = unsafe {
            rustix::mm::madvise(
                self.0.data.as_ptr().add(first - start).cast(),
                last - first,
                rustix::mm::Advice::LinuxDontNeed,
            )
        };
        if advised.is_ok() { last - first } else { 0 }
    }

    /// Elsewhere freeing is all there is.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn release_pages(&mut self) -> usize {
        self.forget_contents();
        0
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.0.size) {
            // SAFETY: `data` was allocated with this very layout and nobody else owns it.
            unsafe { dealloc(self.0.data.as_ptr(), layout) };
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("size", &self.0.size)
            .field("written", &self.0.written)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(pool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn zeroing_reaches_every_byte() {
        let mut block = Block::new(300).unwrap();
        assert!(block.append(&[7; 300]));
        block.consume(100);
        block.zero();
        assert_eq!((block.len(), block.spare()), (0, 300));
        // SAFETY: all 300 bytes were initialised by `append`.
        unsafe { block.advance(300) };
        assert_eq!(block.bytes(), [0; 300]);
    }

    #[test]
    fn reclaiming_keeps_what_was_not_consumed() {
        let mut block = Block::new(8).unwrap();
        assert!(block.append(b"abcdefgh"));
        block.consume(3);
        block.reclaim();
        assert_eq!((block.bytes(), block.spare()), (&b"defgh"[..], 3));
        assert!(!block.append(b"1234") && block.append(b"123"));
        assert_eq!(block.bytes(), b"defgh123");
    }
}
