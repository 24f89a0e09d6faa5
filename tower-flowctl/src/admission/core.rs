//! What all listeners of one admission share.

use std::{
    net::IpAddr,
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use arc_swap::ArcSwap;
use futures_util::future::{Either, select};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{
    Limits, Refusal, address::Addresses, class::ClassState, clock::Clock, counters::Counters,
    rate::AcceptRate,
};
use crate::{
    descriptors::{Descriptors, Headroom},
    drain::Progress,
    reclaim::Table,
};

pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) limits: ArcSwap<Limits>,
    pub(crate) classes: Vec<ClassState>,
    pub(crate) addresses: Addresses,
    pub(crate) rate: AcceptRate,
    pub(crate) descriptors: Descriptors,
    pub(crate) counters: Counters,
    draining: AtomicBool,
    drain_begun: Notify,
    drain: Mutex<Option<Progress>>,
    table: Mutex<Table>,
    pub(super) open: AtomicU32,
    /// Told when a connection has ended, while a listener waits for that.
    released: Notify,
    waiting: AtomicU32,
    /// Connections that were closed to make room for newcomers and are not gone yet, as far as is known.
    promised: AtomicU32,
    /// Refused connections that still have a descriptor.
    pub(super) refusing: AtomicU32,
    /// Until this tick, see [`is_crowded`](Self::is_crowded).
    crowded_until: AtomicU32,
    /// The tick in which they were [put back](Self::may_put_back) last.
    put_back: AtomicU32,
    maintained: AtomicBool,
    /// Whether anybody but a caller of `maintain` counts on that.
    needs_maintenance: AtomicBool,
    #[cfg(feature = "metrics")]
    pub(crate) published: super::metrics::Published,
}

/// For how many ticks responses end their connections after a newcomer found neither a descriptor nor anybody idle: a second.
pub(crate) const CROWDED: u32 = 10;

impl Core {
    pub(crate) fn new(limits: Limits, classes: Vec<ClassState>, descriptors: Descriptors) -> Self {
        Self {
            clock: Clock::new(),
            limits: ArcSwap::from_pointee(limits),
            classes,
            addresses: Addresses::default(),
            rate: AcceptRate::new(),
            descriptors,
            counters: Counters::default(),
            draining: AtomicBool::new(false),
            drain_begun: Notify::new(),
            drain: Mutex::new(None),
            table: Mutex::new(Table::new()),
            open: AtomicU32::new(0),
            released: Notify::new(),
            waiting: AtomicU32::new(0),
            promised: AtomicU32::new(0),
            refusing: AtomicU32::new(0),
            crowded_until: AtomicU32::new(0),
            put_back: AtomicU32::new(u32::MAX),
            maintained: AtomicBool::new(false),
            needs_maintenance: AtomicBool::new(false),
            #[cfg(feature = "metrics")]
            published: super::metrics::Published::new(),
        }
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The drain, once there was one.
    pub(crate) fn drain(&self) -> MutexGuard<'_, Option<Progress>> {
        self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self) -> u32 {
        self.open.load(SeqCst)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Has listeners stop and new streams close.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Relaxed);
        self.drain_begun.notify_waiters();
    }

    /// Awaits `future`, or nothing once the server drains.
    pub(crate) async fn until_drained<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut begun = pin!(self.drain_begun.notified());
        begun.as_mut().enable();
        if self.is_draining() {
            return None;
        }
        match select(pin!(future), begun).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    }

    /// Whether the caller is the first to start the maintenance.
    pub(super) fn claim_maintenance(&self) -> bool {
        !self.maintained.swap(true, SeqCst)
    }

    /// Whoever claimed it has stopped; true if it has to go on.
    pub(super) fn disclaim_maintenance(&self) -> bool {
        self.maintained.store(false, SeqCst);
        self.needs_maintenance.load(SeqCst)
    }

    /// From here on the maintenance is not to stop. Against `disclaim_maintenance`: either it sees this, or the caller's claim
    /// succeeds.
    pub(super) fn need_maintenance(&self) {
        if !self.needs_maintenance.load(Relaxed) {
            self.needs_maintenance.store(true, SeqCst);
        }
    }

    /// Whether one more connection of this class may come in.
    pub(crate) fn room(&self, class: usize, limits: &Limits) -> Result<(), Refusal> {
        let is_full = |limit| self.counted() >= limit;
        if !self.is_exempt(class) && limits.total.is_some_and(is_full) {
            return Err(Refusal::Total);
        }
        if self.classes[class].is_full() {
            return Err(Refusal::Class);
        }
        let kept = self
            .classes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != class)
            .map(|(_, other)| other.unused_reserve())
            .fold(0, u32::saturating_add);
        // The headroom is for what the application opens, and a class with a reserve goes before that.
        let headroom = if self.classes[class].has_reserve() {
            Headroom::Use
        } else {
            Headroom::Leave
        };
        if self.descriptors.has_room(self.open(), kept, headroom) {
            Ok(())
        } else {
            Err(Refusal::Descriptors)
        }
    }

    /// Whether the limits on numbers pass over this class.
    pub(crate) fn is_exempt(&self, class: usize) -> bool {
        self.classes[class].class.is_exempt()
    }

    /// The open connections that the limit of the total is about.
    fn counted(&self) -> u32 {
        let exempt = self.classes.iter().filter(|state| state.class.is_exempt());
        // Counted apart, so that for a moment there may seem to be more of them than of all.
        self.open()
            .saturating_sub(exempt.map(ClassState::open).sum())
    }

    pub(super) fn leave(&self, class: usize, ip: Option<IpAddr>, was_leaving: bool) {
        if let Some(ip) = ip {
            self.addresses.leave(ip);
        }
        self.classes[class].leave(was_leaving);
        // Against `released`: either it sees this release, or this sees it waiting.
        self.open.fetch_sub(1, SeqCst);
        if self.waiting.load(SeqCst) != 0 {
            self.released.notify_waiters();
        }
    }

    pub(crate) fn promised(&self) -> u32 {
        self.promised.load(Relaxed)
    }

    /// So many connections were closed to make room.
    pub(crate) fn promise(&self, count: u32) {
        self.promised.fetch_add(count, Relaxed);
    }

    /// Some may have got a request and stay: newcomers wait for a promise until the next beat at most.
    pub(crate) fn forget_promises(&self) {
        self.promised.store(0, Relaxed);
    }

    pub(super) fn kept_promise(&self) {
        let less = |count: u32| count.checked_sub(1);
        let _ = self.promised.fetch_update(Relaxed, Relaxed, less);
    }

    /// A newcomer found no descriptor, and nobody was idle.
    pub(crate) fn set_crowded(&self) {
        self.crowded_until
            .store(self.clock.now() + CROWDED, Relaxed);
    }

    /// Whether idle connections that were kept for their classes are put back to where they belong, so that the next walk meets them
    /// again: once a tick, as there may be thousands.
    pub(crate) fn may_put_back(&self, now: u32) -> bool {
        self.put_back.swap(now, Relaxed) != now
    }

    /// Whether of late a newcomer found no descriptor and nobody who was idle. Connections then end with their responses.
    #[inline]
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded_until.load(Relaxed) > self.clock.now()
    }

    /// Descriptors that are neither connections nor otherwise accounted for.
    pub(crate) fn unaccounted(&self) -> usize {
        self.descriptors
            .unaccounted(self.open(), self.refusing.load(Relaxed))
    }

    /// Waits until a connection ends, or at most until `latest`; not at all if what is waited for is there by now.
    pub(crate) async fn released(&self, latest: Instant, there: impl Fn() -> bool) {
        let _waiting = Waiting::new(&self.waiting);
        let mut released = pin!(self.released.notified());
        released.as_mut().enable();
        // Looked at only after the release would be noticed, so that none is missed in between.
        if !there() {
            let _ = timeout_at(latest, released).await;
        }
    }
}

struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
