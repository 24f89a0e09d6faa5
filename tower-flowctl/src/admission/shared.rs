//! A connection's state, written by its stream and its requests, read by everybody else.
//!
//! Every field is an atomic of its own and only ever a hint for others: what decides is looked at again by the stream
//! itself, in its own task. Hence relaxed orderings throughout; the wakers bring their own.

#[cfg(feature = "axum")]
use std::sync::OnceLock;
use std::{
    net::IpAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::{ConnectionState, Core, Cut};
use crate::descriptors::Pressure;
#[cfg(feature = "axum")]
use crate::http2::Streams;

/// The layers below HTTP are done.
const ESTABLISHED: u32 = 1;
/// Its requests are counted, so that it is known when it is idle.
const COUNTED: u32 = 1 << 1;
/// It shall end as soon as it is idle.
const CLOSE: u32 = 1 << 2;
/// It shall end now.
const RESET: u32 = 1 << 3;
/// It is not HTTP any more: WebSocket, CONNECT.
const UPGRADED: u32 = 1 << 4;
/// HTTP/2: bytes between requests are not a head.
const MULTIPLEXED: u32 = 1 << 5;
/// The last write found no room in the socket.
const BLOCKED: u32 = 1 << 6;
/// A serve loop awaits the close and brings it about, so that the stream does not.
const HANDED: u32 = 1 << 7;
/// HTTP/2, and its streams are known.
#[cfg(feature = "axum")]
const FOLLOWED: u32 = 1 << 8;
/// Its requests' bodies may come as slowly as they like.
const PATIENT: u32 = 1 << 9;

/// Of `head`: the next byte is the first of a request's head.
const AWAITED: u32 = 0;
/// Of `head`: what comes belongs to no head, but to a request that is being answered, or to HTTP/2, or to what is not HTTP.
const ELSEWHERE: u32 = u32::MAX;

/// Of `unread`: a count of requests that no connection comes to.
const NEVER: u32 = u32::MAX;

/// What a listener knows of the layers above: whether anybody there says when a handshake is done. Nobody has to, and is then not
/// waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshakes(Arc<AtomicBool>);

pub(crate) struct Shared {
    pub(crate) core: Arc<Core>,
    pub(crate) class: usize,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) descriptor: Option<i32>,
    handshakes: Handshakes,
    accepted: u32,
    flags: AtomicU32,
    /// The tick of the last byte in or out.
    last: AtomicU32,
    /// The tick of the last request's end, before the first one that of the handshake's.
    answered: AtomicU32,
    /// The tick in which a head began to arrive; [`AWAITED`], [`ELSEWHERE`].
    head: AtomicU32,
    in_flight: AtomicU32,
    /// Request bodies whose reader waits for the client.
    starving: AtomicU32,
    requests: AtomicU32,
    /// The number of the request whose body was the last to be dropped before its end; none yet is [`NEVER`].
    unread: AtomicU32,
    /// The reason for a close or reset: a `Cut`.
    reason: AtomicU8,
    read: AtomicU64,
    written: AtomicU64,
    pub(crate) reader: AtomicWaker,
    pub(crate) writer: AtomicWaker,
    closing: Notify,
    /// Over HTTP/2, its streams, where somebody keeps them.
    #[cfg(feature = "axum")]
    streams: OnceLock<Streams>,
}

impl Shared {
    pub(crate) fn new(
        core: Arc<Core>,
        class: usize,
        ip: Option<IpAddr>,
        descriptor: Option<i32>,
        handshakes: Handshakes,
    ) -> Self {
        let now = core.clock.now();
        Self {
            core,
            class,
            ip,
            descriptor,
            handshakes,
            accepted: now,
            flags: AtomicU32::new(0),
            last: AtomicU32::new(now),
            answered: AtomicU32::new(now),
            head: AtomicU32::new(AWAITED),
            in_flight: AtomicU32::new(0),
            starving: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            unread: AtomicU32::new(NEVER),
            reason: AtomicU8::new(0),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            closing: Notify::new(),
            #[cfg(feature = "axum")]
            streams: OnceLock::new(),
        }
    }

    // What the stream says. One task reads and one writes at a time, so that counts need no read-modify-write.

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

    // What the requests say.

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

    // What others ask of it.

    /// Has it end when it is idle.
    pub(crate) fn close(&self, reason: Cut) {
        if self.flags.fetch_or(CLOSE, Relaxed) & (CLOSE | RESET) == 0 {
            self.reason.store(reason as u8, Relaxed);
            self.core.counters.cut(reason);
        }
        self.closing.notify_waiters();
        self.reader.wake();
    }

    /// Has it end now.
    pub(crate) fn reset(&self, reason: Cut) {
        let before = self.flags.fetch_or(RESET, Relaxed);
        if before & RESET == 0 {
            self.reason.store(reason as u8, Relaxed);
            // A graceful close that had to be enforced was counted when it was asked for.
            if before & CLOSE == 0 {
                self.core.counters.cut(reason);
            }
        }
        self.reader.wake();
        self.writer.wake();
    }

    /// Waits until a graceful end is asked for.
    pub(crate) async fn closing(&self) {
        self.flags.fetch_or(HANDED, Relaxed);
        let mut notified = pin!(self.closing.notified());
        notified.as_mut().enable();
        if !self.is_closing() {
            notified.await;
        }
    }

    // What it is at.

    #[inline]
    fn has(&self, flag: u32) -> bool {
        self.flags.load(Relaxed) & flag != 0
    }

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
