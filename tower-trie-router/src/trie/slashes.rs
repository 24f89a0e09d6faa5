//! Where the slashes of a path are.
//!
//! One pass over up to 64 bytes gives a mask with a bit for each `/`. On
//! x86-64 it compares 16 bytes at a time (SSE2, which every x86-64 processor
//! has); elsewhere eight at a time in an ordinary register. Both give the same
//! masks, and [`Scan`] chooses between them at compile time.

/// How many bytes a mask covers.
pub(super) const BLOCK: usize = 64;

/// A way to find slashes.
pub(super) trait Scan {
    /// A bit for each slash among the first [`BLOCK`] bytes of `text`.
    fn mask(text: &[u8]) -> u64;
}

/// Where the segments that end in a path's first block end: a bit for each
/// slash there, and one for the path's end if that is in the block.
#[inline(always)]
pub(super) fn first_ends<S: Scan>(path: &[u8]) -> u64 {
    if path.len() < BLOCK {
        S::mask(path) | 1 << path.len()
    } else {
        S::mask(path)
    }
}

/// The fastest way that this processor has.
#[cfg(target_arch = "x86_64")]
pub(super) use sse2::Sse2 as Native;
/// The fastest way that this processor has.
#[cfg(not(target_arch = "x86_64"))]
pub(super) type Native = Portable;

/// Eight bytes at a time in an ordinary register.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Scan for Portable {
    #[inline]
    fn mask(text: &[u8]) -> u64 {
        let mut chunks = text[..text.len().min(BLOCK)].chunks_exact(8);
        let mut mask = 0;
        let mut at = 0;
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            mask |= slashes_in(u64::from_le_bytes(word)) << at;
            at += 8;
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            mask |= slashes_in(short_word(rest)) << at;
        }
        mask
    }
}

/// Up to eight bytes as a little-endian number, zeros above them.
#[inline]
pub(super) fn short_word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let four = |at: usize| {
        let four = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        u64::from(u32::from_le_bytes(four))
    };
    if len >= 4 {
        four(0) | four(len - 4) << (8 * (len - 4))
    } else if len >= 1 {
        let middle = u64::from(bytes[len / 2]) << (8 * (len / 2));
        u64::from(bytes[0]) | middle | u64::from(bytes[len - 1]) << (8 * (len - 1))
    } else {
        0
    }
}

/// A bit for each slash in a little-endian word.
#[inline]
fn slashes_in(word: u64) -> u64 {
    const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let zero_where_slash = word ^ 0x2f2f_2f2f_2f2f_2f2f;
    // The top bit of each byte that is not zero, without carries between bytes.
    let not_zero = ((zero_where_slash & LOW_SEVEN) + LOW_SEVEN) | zero_where_slash;
    let top_bits = !not_zero & !LOW_SEVEN;
    // Gathers the eight bits, now at 0, 8, 16 .., in the top byte.
    ((top_bits >> 7).wrapping_mul(0x0102_0408_1020_4080)) >> 56
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    //! The masks by SSE2. Every load is of 16 bytes that lie within the text.

    use super::{BLOCK, Scan, short_word, slashes_in};
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8,
    };

    /// Sixteen bytes at a time.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Sse2;

    impl Scan for Sse2 {
        #[inline(always)]
        fn mask(text: &[u8]) -> u64 {
            let len = text.len().min(BLOCK);
            if len < 16 {
                return short(&text[..len]);
            }
            // SAFETY: 16 <= len <= text.len(), so both loads end at or before
            // the text's end.
            let mut mask = unsafe { sixteen(text, 0) | sixteen(text, len - 16) << (len - 16) };
            if len > 32 {
                // SAFETY: 16 + 16 < len.
                mask |= unsafe { sixteen(text, 16) } << 16;
                if len > 48 {
                    // SAFETY: 32 + 16 < len.
                    mask |= unsafe { sixteen(text, 32) } << 32;
                }
            }
            mask
        }
    }

    /// Fewer than 16 bytes.
    #[inline]
    fn short(text: &[u8]) -> u64 {
        let len = text.len();
        if len <= 8 {
            return slashes_in(short_word(text));
        }
        let (head, tail) = (&text[..8], &text[len - 8..]);
        slashes_in(short_word(head)) | slashes_in(short_word(tail)) << (len - 8)
    }

    /// A bit for each slash in the 16 bytes at `at`.
    ///
    /// # Safety
    /// `at + 16 <= text.len()`.
    #[inline(always)]
    unsafe fn sixteen(text: &[u8], at: usize) -> u64 {
        debug_assert!(at + 16 <= text.len());
        // SAFETY: SSE2 is part of x86-64. The caller says that the 16 bytes
        // are within the text; the load needs no alignment.
        unsafe {
            let bytes = _mm_loadu_si128(text.as_ptr().add(at).cast::<__m128i>());
            let equal = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'/' as i8));
            _mm_movemask_epi8(equal) as u32 as u64
        }
    }
}

/// Goes through the ends of a path's segments: the positions of its slashes,
/// and then, for ever, its length.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentEnds<'p> {
    path: &'p str,
    /// Where the block that `mask` speaks of starts.
    block: usize,
    /// The ends in that block from the current one on; never 0. Each bit
    /// stands for a slash of the path or for the path's end.
    mask: u64,
}

impl<'p> SegmentEnds<'p> {
    /// Starts at the first end that is in `mask`.
    ///
    /// # Safety
    /// `mask` is not 0 and has no bits that the path's [`first_ends`] do not have.
    #[inline]
    pub(super) unsafe fn new(path: &'p str, mask: u64) -> Self {
        debug_assert!(mask != 0);
        Self {
            path,
            block: 0,
            mask,
        }
    }

    /// The current end.
    #[inline]
    pub(super) fn current(&self) -> usize {
        // SAFETY: `new`, `advance` and `refilled` leave no mask without a bit.
        unsafe { core::hint::assert_unchecked(self.mask != 0) };
        self.block + self.mask.trailing_zeros() as usize
    }

    /// Goes to the next end.
    #[inline]
    pub(super) fn advance<S: Scan>(&mut self) {
        self.mask &= self.mask - 1;
        if self.mask == 0 {
            *self = self.refilled::<S>();
        }
    }

    /// Goes to the end behind the one at `start`.
    pub(super) fn seek_behind<S: Scan>(&mut self, start: usize) {
        self.block = start / BLOCK * BLOCK;
        self.mask = first_ends::<S>(&self.path.as_bytes()[self.block..]) & (!1 << (start % BLOCK));
        if self.mask == 0 {
            *self = self.refilled::<S>();
        }
    }

    /// At the first end behind a block whose ends have all been taken. By
    /// value, so that the caller can keep its own in registers.
    #[cold]
    #[inline(never)]
    fn refilled<S: Scan>(mut self) -> Self {
        while self.mask == 0 {
            self.block = (self.block + BLOCK).min(self.path.len());
            self.mask = first_ends::<S>(&self.path.as_bytes()[self.block..]);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(text: &[u8]) -> u64 {
        let block = text.iter().take(BLOCK).enumerate();
        block.fold(0, |mask, (at, byte)| mask | u64::from(*byte == b'/') << at)
    }

    #[test]
    fn native_and_portable_masks_agree_with_a_loop() {
        let near = [b'/', b'/', b'.', b'0', 0, 0x2f ^ 0x80, 0xff, 0xae, b'/'];
        let mut state = 1_u32;
        let mut text = alloc::vec::Vec::new();
        for len in 0..200 {
            for _ in 0..50 {
                text.clear();
                for _ in 0..len {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    text.push(near[(state >> 16) as usize % near.len()]);
                }
                assert_eq!(Native::mask(&text), naive(&text), "{text:?}");
                assert_eq!(Portable::mask(&text), naive(&text), "{text:?}");
            }
        }
    }

    #[test]
    fn segment_ends_cross_blocks() {
        let mut path = alloc::string::String::from("/");
        for len in [3, 70, 0, 200, 1, 64, 63] {
            path.extend(core::iter::repeat_n('x', len));
            path.push('/');
        }
        let slashes = path.match_indices('/').map(|(at, _)| at);
        let expected: alloc::vec::Vec<usize> = slashes.chain([path.len(); 2]).collect();
        // SAFETY: these are the path's ends.
        let mut ends = unsafe { SegmentEnds::new(&path, first_ends::<Native>(path.as_bytes())) };
        for pair in expected.windows(2) {
            assert_eq!(ends.current(), pair[0]);
            ends.advance::<Native>();
        }
        assert_eq!(ends.current(), path.len());
        for pair in expected.windows(2) {
            ends.seek_behind::<Portable>(pair[0]);
            assert_eq!(ends.current(), pair[1]);
        }
    }
}
