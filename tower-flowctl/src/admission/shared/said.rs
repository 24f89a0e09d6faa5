//! What the stream and the requests say of the connection. All of it is on a request's way.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    AWAITED, BLOCKED, CLOSE, COUNTED, Cut, ELSEWHERE, ESTABLISHED, MULTIPLEXED, PATIENT, RESET,
    Shared, UPGRADED,
};
#[cfg(feature = "axum")]
use super::{FOLLOWED, Streams};
use crate::descriptors::Pressure;

impl Shared {
    // The stream. One task reads and one writes at a time, so that counts need no read-modify-write.

    #[inline]
    pub(crate) fn on_read(&self, bytes: usize) {
        self.read
            .store(self.read.load(Relaxed) + bytes as u64, Relaxed);
        let now = self.core.clock.now();
        self.last.store(now, Relaxed);
        if self.head.load(Relaxed) == AWAITED {
            self.head.store(now, Relaxed);
        }
    }

    #[inline]
    pub(crate) fn on_write(&self, bytes: usize) {
        self.written
            .store(self.written.load(Relaxed) + bytes as u64, Relaxed);
        self.last.store(self.core.clock.now(), Relaxed);
    }

    /// Whether a write has to look closer: it ends the wait for room, or may be the last one, or shall fail.
    #[inline]
    pub(crate) fn is_blocked_or_ending(&self) -> bool {
        self.has(BLOCKED | CLOSE | RESET)
    }

    pub(crate) fn on_room(&self) {
        self.flags.fetch_and(!BLOCKED, Relaxed);
    }

    pub(crate) fn on_blocked(&self) {
        if !self.has(BLOCKED) {
            self.flags.fetch_or(BLOCKED, Relaxed);
        }
    }

    // The requests.

    #[inline]
    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        self.head.store(ELSEWHERE, Relaxed);
        self.requests
            .store(self.requests.load(Relaxed).wrapping_add(1), Relaxed);
    }

    #[inline]
    pub(crate) fn end(&self) {
        self.answered.store(self.core.clock.now(), Relaxed);
        let others = self.in_flight.fetch_sub(1, Relaxed) - 1;
        let flags = self.flags.load(Relaxed);
        if others == 0 && flags & (MULTIPLEXED | UPGRADED) == 0 {
            self.head.store(AWAITED, Relaxed);
        }
        // The response may already be with the socket, and nothing else would have the stream look again.
        if flags & CLOSE != 0 {
            self.reader.wake();
        }
    }

    /// The body of the request with this number, of which the first has 1, was dropped, and its client sends the rest of it.
    #[cold]
    pub(crate) fn leave_unread(&self, number: u32) {
        self.unread.store(number, Relaxed);
    }

    /// Whether the client is likely to send what nobody reads: the rest of the last request's body.
    pub(crate) fn is_unread(&self) -> bool {
        !self.has(MULTIPLEXED) && self.unread.load(Relaxed) == self.requests.load(Relaxed)
    }

    /// Whether it may keep its descriptor for what nobody reads: nobody else wants it.
    pub(crate) fn may_linger(&self) -> bool {
        let is_reclaimed = self.is_closing() && self.reason() == Cut::Reclaimed;
        let is_wanted = is_reclaimed
            || self.core.is_crowded()
            || self.core.descriptors.pressure() != Pressure::Normal;
        !self.is_reset() && !is_wanted
    }

    pub(crate) fn set_patient(&self) {
        self.flags.fetch_or(PATIENT, Relaxed);
    }

    pub(crate) fn starve(&self) {
        self.starving.fetch_add(1, Relaxed);
    }

    pub(crate) fn feed(&self) {
        self.starving.fetch_sub(1, Relaxed);
    }

    pub(crate) fn set_established(&self) {
        if !self.handshakes.0.load(Relaxed) {
            self.handshakes.0.store(true, Relaxed);
        }
        self.answered.store(self.core.clock.now(), Relaxed);
        // The first head is waited for from here on.
        self.head.store(self.core.clock.now(), Relaxed);
        self.flags.fetch_or(ESTABLISHED | COUNTED, Relaxed);
    }

    #[inline]
    pub(crate) fn set_multiplexed(&self) {
        if !self.has(MULTIPLEXED) {
            self.flags.fetch_or(MULTIPLEXED, Relaxed);
            // The deadline for a first head that is waited for stays.
            if self.head.load(Relaxed) == AWAITED {
                self.head.store(ELSEWHERE, Relaxed);
            }
        }
    }

    #[cfg(feature = "axum")]
    #[inline]
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.has(MULTIPLEXED)
    }

    /// Has it be busy while any of its streams is open. Without, its requests must be active for as long as their responses wait
    /// for the client's windows.
    #[cfg(feature = "axum")]
    pub(crate) fn follow(&self, streams: Streams) {
        if self.streams.set(streams).is_ok() {
            self.flags.fetch_or(FOLLOWED, Relaxed);
        }
    }

    #[cfg(feature = "axum")]
    #[inline]
    pub(crate) fn is_followed(&self) -> bool {
        self.has(FOLLOWED)
    }

    pub(crate) fn set_upgraded(&self) {
        self.flags.fetch_or(UPGRADED, Relaxed);
        self.head.store(ELSEWHERE, Relaxed);
    }
}
