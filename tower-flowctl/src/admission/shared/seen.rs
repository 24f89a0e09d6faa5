//! What the connection is at, as others see it.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    AWAITED, BLOCKED, CLOSE, COUNTED, ConnectionState, Cut, ELSEWHERE, ESTABLISHED, HANDED,
    MULTIPLEXED, PATIENT, RESET, Shared, UPGRADED,
};
#[cfg(feature = "axum")]
use super::{FOLLOWED, Streams};

impl Shared {
    #[inline]
    pub(crate) fn is_reset(&self) -> bool {
        self.has(RESET)
    }

    /// Whether it was asked to end, in either way.
    #[inline]
    pub(crate) fn is_ending(&self) -> bool {
        self.has(CLOSE | RESET)
    }

    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.has(CLOSE)
    }

    /// Whether the stream shall end by itself: a close was asked for and nothing stands against it. For its own task only,
    /// which waits for whoever changes the streams.
    pub(crate) fn may_close(&self) -> bool {
        if !self.is_closing() || self.has(HANDED) || self.is_at_work() {
            return false;
        }
        #[cfg(feature = "axum")]
        return !self.streams().is_some_and(Streams::any);
        #[cfg(not(feature = "axum"))]
        true
    }

    /// Whether ending it would lose something: a request, a response, an upgraded protocol. True as well if nobody
    /// counts its requests. Never waits.
    pub(crate) fn is_busy(&self) -> bool {
        if self.is_at_work() {
            return true;
        }
        #[cfg(feature = "axum")]
        return self.streams().is_some_and(Streams::any_at_a_glance);
        #[cfg(not(feature = "axum"))]
        false
    }

    /// Whether it is busy, whatever h2 still has for the client.
    fn is_at_work(&self) -> bool {
        let flags = self.flags.load(Relaxed);
        flags & COUNTED == 0
            || flags & (UPGRADED | BLOCKED) != 0
            || self.in_flight.load(Relaxed) != 0
            || (self.head_since().is_some() && self.read.load(Relaxed) != 0)
    }

    /// What h2 may still have for the client, as far as that is known.
    #[cfg(feature = "axum")]
    fn streams(&self) -> Option<&Streams> {
        self.streams.get().filter(|_| self.has(FOLLOWED))
    }

    /// Whether its handshake is known to be under way: somebody says of this listener's connections when theirs are done, or it has
    /// not sent a byte.
    pub(crate) fn is_shaking_hands(&self) -> bool {
        !self.is_established() && (self.handshakes.0.load(Relaxed) || self.read() == 0)
    }

    pub(crate) fn is_established(&self) -> bool {
        self.has(ESTABLISHED)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.has(BLOCKED)
    }

    pub(crate) fn is_starving(&self) -> bool {
        self.starving.load(Relaxed) != 0 && !self.has(PATIENT)
    }

    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// The tick since which a head is waited for, if one is.
    pub(crate) fn head_since(&self) -> Option<u32> {
        match self.head.load(Relaxed) {
            AWAITED | ELSEWHERE => None,
            tick => Some(tick),
        }
    }

    /// Why it is being ended, if it is.
    pub(crate) fn reason(&self) -> Cut {
        Cut::ALL[usize::from(self.reason.load(Relaxed))]
    }

    pub(crate) fn accepted(&self) -> u32 {
        self.accepted
    }

    pub(crate) fn last(&self) -> u32 {
        self.last.load(Relaxed)
    }

    /// Since when it may have been idle, if it is. Over HTTP/2 bytes do not tell: a PING is no request.
    pub(crate) fn idle_since(&self) -> u32 {
        let answered = self.answered.load(Relaxed);
        match self.has(MULTIPLEXED) {
            true => answered,
            false => answered.max(self.last()),
        }
    }

    /// It was seen busy now, maybe with what is left of a response.
    pub(crate) fn seen_busy(&self, now: u32) {
        if self.has(MULTIPLEXED) {
            self.answered.store(now, Relaxed);
        }
    }

    pub(crate) fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(crate) fn state(&self) -> ConnectionState {
        if self.has(CLOSE | RESET) {
            ConnectionState::Draining
        } else if self.has(UPGRADED) || self.in_flight() != 0 {
            ConnectionState::Active
        } else if !self.is_established() {
            ConnectionState::Handshaking
        } else if self.head_since().is_some() {
            ConnectionState::Receiving
        } else {
            ConnectionState::Idle
        }
    }
}
