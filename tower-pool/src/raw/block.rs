//! One aligned allocation.
//!
//! Invariants of [`Block`]: `data` points to `size` bytes of a live allocation made with
//! [`Block::layout`], owned by this value alone (to nothing when `size` is 0); the first `written` bytes are initialised.
//! [`Block::bytes`] shows the written part and nothing else, so what an earlier owner left behind
//! cannot be read: [`Block::forget_contents`] sets `written` back to 0 before a block changes hands.

use std::{
    alloc::{Layout, alloc, dealloc},
    fmt,
    mem::MaybeUninit,
    ptr::NonNull,
    slice,
};

/// The alignment of every block in bytes: a cache line.
pub(crate) const ALIGN: usize = 64;

pub(crate) struct Block {
    data: NonNull<u8>,
    size: usize,
    written: usize,
}

// SAFETY: a block owns its memory alone and holds plain bytes.
unsafe impl Send for Block {}
// SAFETY: through `&Block` the memory is only read.
unsafe impl Sync for Block {}

impl Block {
    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size, ALIGN).ok()
    }

    /// Allocates `size` bytes, or `None` when the allocator has none or `size` overflows `isize`.
    pub(crate) fn new(size: usize) -> Option<Self> {
        if size == 0 {
            return Some(Self::empty());
        }
        let layout = Self::layout(size)?;
        // SAFETY: the layout's size is not 0.
        let data = NonNull::new(unsafe { alloc(layout) })?;
        Some(Self {
            data,
            size,
            written: 0,
        })
    }

    /// No bytes and no allocation.
    pub(crate) const fn empty() -> Self {
        Self {
            data: NonNull::dangling(),
            size: 0,
            written: 0,
        }
    }

    /// Bytes allocated.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Bytes written since the block last changed hands.
    #[inline]
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// The written bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the first `written` bytes are initialised and owned (invariants).
        unsafe { slice::from_raw_parts(self.data.as_ptr(), self.written) }
    }

    /// The written bytes, to change.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` makes the access unique.
        unsafe { slice::from_raw_parts_mut(self.data.as_ptr(), self.written) }
    }

    /// The part not written yet.
    #[inline]
    pub(crate) fn spare_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: `written <= size`, so the range lies in the allocation; it is handed out as
        // possibly uninitialised; `&mut self` makes the access unique.
        unsafe {
            slice::from_raw_parts_mut(
                self.data.as_ptr().add(self.written).cast(),
                self.size - self.written,
            )
        }
    }

    /// Appends `bytes` and says whether they fitted; nothing is written when they do not.
    #[inline]
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.size - self.written {
            return false;
        }
        // SAFETY: the target range lies in the allocation (checked above); it cannot overlap
        // `bytes`, because a borrow of this block's bytes would forbid `&mut self`.
        unsafe {
            self.data
                .as_ptr()
                .add(self.written)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.written += bytes.len();
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
            count <= self.size - self.written,
            "cannot advance by {count} bytes: only {} are spare",
            self.size - self.written
        );
        self.written += count;
    }

    /// Shortens the written part to `length`; longer lengths change nothing.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.written = self.written.min(length);
    }

    /// Makes the block empty: what was written can no longer be read.
    #[inline]
    pub(crate) fn forget_contents(&mut self) {
        self.written = 0;
    }

    /// Overwrites every byte of the block with zero, in a way that the optimiser keeps even when
    /// the block is freed next.
    pub(crate) fn zero(&mut self) {
        // SAFETY: the whole allocation is owned, and `&mut self` makes the access unique.
        unsafe { self.data.as_ptr().write_bytes(0, self.size) };
        // The pointer escapes here, so the stores above may have been seen and must be made.
        std::hint::black_box(self.data);
        self.written = 0;
    }

    /// Gives the pages wholly inside the block back to the kernel; the contents are lost.
    ///
    /// Freeing alone often keeps the pages in the allocator's heap. Returns the bytes given back.
    #[cfg(target_os = "linux")]
    pub(crate) fn release_pages(&mut self) -> usize {
        self.written = 0;
        let page = rustix::param::page_size();
        let start = self.data.as_ptr() as usize;
        let first = start.next_multiple_of(page);
        let last = (start + self.size) / page * page;
        if last <= first {
            return 0;
        }
        // SAFETY: the range is whole pages inside the allocation that this block owns alone. After
        // MADV_DONTNEED they read as zeros, which is as good as any content of an unwritten part;
        // the allocator's own bookkeeping lies outside of a live allocation's bytes.
        let advised = unsafe {
            rustix::mm::madvise(
                self.data.as_ptr().add(first - start).cast(),
                last - first,
                rustix::mm::Advice::LinuxDontNeed,
            )
        };
        if advised.is_ok() { last - first } else { 0 }
    }

    /// Elsewhere freeing is all there is.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn release_pages(&mut self) -> usize {
        self.written = 0;
        0
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.size == 0 {
            return;
        }
        if let Some(layout) = Self::layout(self.size) {
            // SAFETY: the size is not 0, so `data` was allocated with this very layout and nobody else owns it.
            unsafe { dealloc(self.data.as_ptr(), layout) };
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("size", &self.size)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}
