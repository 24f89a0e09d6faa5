//! What becomes of bytes after a body has handed them out.

use std::{sync::PoisonError, task::Waker};

use super::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

/// Told by the adapter and by the drop of the bytes, asked by the body that waits for the news.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    offered: AtomicBool,
    sent: AtomicU64,
    dropped: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Delivery {
    /// True once the adapter was asked to send all of it in one piece.
    pub(crate) fn offered(&self) -> bool {
        self.offered.load(Ordering::Acquire)
    }

    /// Bytes the adapter has sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// True once the last `Bytes` over the memory is gone: nobody can read it any more.
    pub(crate) fn dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    /// Has `waker` woken at the next news. Ask for the state after this call, not before.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut slot = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Some(old) if old.will_wake(waker) => {}
            _ => *slot = Some(waker.clone()),
        }
    }

    pub(super) fn note_offered(&self) {
        self.offered.store(true, Ordering::Release);
    }

    /// `bytes` more were sent, of `len` together. Nobody waits for less than all of it.
    pub(super) fn note_sent(&self, bytes: u64, len: u64) {
        let before = self.sent.fetch_add(bytes, Ordering::AcqRel);
        if before + bytes >= len {
            self.wake();
        }
    }

    pub(super) fn note_dropped(&self) {
        self.dropped.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
