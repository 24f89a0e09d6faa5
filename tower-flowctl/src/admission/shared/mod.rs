//! A connection's state, written by its stream and its requests, read by everybody else.
//!
//! Every field is an atomic of its own and only ever a hint for others: what decides is looked at again by the stream
//! itself, in its own task. Hence relaxed orderings throughout; the wakers bring their own.

mod said;
mod seen;

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

    /// Has it end when it is idle.
    pub(crate) fn close(&self, reason: Cut) {
        if self.flags.fetch_or(CLOSE, Relaxed) & (CLOSE | RESET) == 0 {
            self.reason.store(reason as u8, Relaxed);
            self.core.counters.cut(reason);
        }
        self.closing.notify_waiters();
        self.reader.wake();
    }

    /// Has it end now. Whether nobody has asked for that before.
    pub(crate) fn reset(&self, reason: Cut) -> bool {
        let before = self.flags.fetch_or(RESET, Relaxed);
        let is_first = before & RESET == 0;
        if is_first {
            self.reason.store(reason as u8, Relaxed);
            // A graceful close that had to be enforced was counted when it was asked for.
            if before & CLOSE == 0 {
                self.core.counters.cut(reason);
            }
        }
        self.reader.wake();
        self.writer.wake();
        is_first
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

    #[inline]
    fn has(&self, flag: u32) -> bool {
        self.flags.load(Relaxed) & flag != 0
    }
}
