//! [`bytes::BufMut`] for [`PooledBuf`], an unsafe trait.

use bytes::{BufMut, buf::UninitSlice};

use crate::PooledBuf;

// SAFETY: `chunk_mut` shows the block's spare part, which `remaining_mut` measures, and `advance_mut`
// moves the boundary by what the caller vouches for, checked against the spare part.
unsafe impl BufMut for PooledBuf {
    #[inline]
    fn remaining_mut(&self) -> usize {
        self.held.spare()
    }

    #[inline]
    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller has initialised the next `count` bytes (contract of `BufMut`).
        unsafe { self.held.advance(count) };
    }

    #[inline]
    fn chunk_mut(&mut self) -> &mut UninitSlice {
        UninitSlice::uninit(self.held.spare_mut())
    }
}
