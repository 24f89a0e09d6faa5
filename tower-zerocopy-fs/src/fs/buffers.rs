//! Read buffers that go back to a shared stock when the last `Bytes` over them is dropped.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of one buffer and so of one read: large enough to drown the cost of a call, small enough to stay in cache.
pub(crate) const BUFFER: usize = 256 * 1024;

/// Buffers kept for reuse, 16 MiB at most.
const KEPT: usize = 64;

static STOCK: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// A buffer of [`BUFFER`] bytes on loan from the stock.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    pub(crate) fn take() -> Self {
        let kept = STOCK.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = kept.unwrap_or_else(|| vec![0; BUFFER].into_boxed_slice());
        Self { memory, filled: 0 }
    }

    /// The first `len` bytes to read into, all of them initialised by somebody before.
    pub(crate) fn space(&mut self, len: usize) -> &mut [u8] {
        let len = len.min(self.memory.len());
        &mut self.memory[..len]
    }

    /// The first `filled` bytes as shared immutable bytes, without a copy.
    pub(crate) fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(self.memory.len());
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut stock = STOCK.lock().unwrap_or_else(PoisonError::into_inner);
        if stock.len() < KEPT {
            stock.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_buffer_shows_what_was_filled() {
        let mut buffer = Buffer::take();
        buffer.space(3).copy_from_slice(b"abc");
        let bytes = buffer.freeze(2);
        assert_eq!(&bytes[..], b"ab");
        assert_eq!(Buffer::take().space(usize::MAX).len(), BUFFER);
        drop(bytes);
        let mut again = Buffer::take();
        assert_eq!(again.space(usize::MAX).len(), BUFFER);
    }
}
