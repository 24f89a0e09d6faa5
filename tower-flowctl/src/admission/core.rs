//! What all listeners of one admission share.

use std::{
    net::IpAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
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
    Cut, Limits, Shared,
    address::Addresses,
    class::ClassState,
    clock::{Clock, ticks},
    rate::AcceptRate,
    shared::Handshakes,
};
use crate::{
    descriptors::{Descriptors, Headroom},
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
    table: Mutex<Table>,
    open: AtomicU32,
    /// Told when a connection has ended, while a listener waits for that.
    released: Notify,
    waiting: AtomicU32,
    /// Connections that were closed to make room for newcomers and are not gone yet, as far as is known.
    promised: AtomicU32,
    /// Refused connections that still have a descriptor.
    refusing: AtomicU32,
    /// Until this tick, see [`is_crowded`](Self::is_crowded).
    crowded_until: AtomicU32,
    maintained: AtomicBool,
    #[cfg(feature = "metrics")]
    pub(crate) published: super::metrics::Published,
}

/// For how many ticks responses end their connections after a newcomer found neither a descriptor nor anybody idle: a second.
pub(crate) const CROWDED: u32 = 10;

/// Why a connection was refused, or had to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Refusal {
    /// [`Limits::total`].
    Total,
    /// [`Class::limit`](super::Class::limit).
    Class,
    /// No descriptor is left for this class.
    Descriptors,
    /// [`Limits::per_address`].
    Address,
    /// [`Limits::per_prefix`].
    Prefix,
    /// A trusted proxy's header was missing, wrong, or late.
    Proxy,
}

impl Refusal {
    /// All of them, in the order of [`Snapshot::refused`](super::Snapshot::refused).
    pub const ALL: [Self; 6] = [
        Self::Total,
        Self::Class,
        Self::Descriptors,
        Self::Address,
        Self::Prefix,
        Self::Proxy,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Class => "class",
            Self::Descriptors => "descriptors",
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::Proxy => "proxy",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) pauses: AtomicU64,
    pub(crate) out_of_descriptors: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    cut: [AtomicU64; Cut::ALL.len()],
}

impl Counters {
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn cut(&self, cut: Cut) {
        self.cut[cut as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn paused(&self) {
        self.pauses.fetch_add(1, Relaxed);
    }

    pub(crate) fn out_of_descriptors(&self) {
        self.out_of_descriptors.fetch_add(1, Relaxed);
    }

    pub(crate) fn all_refused(&self) -> [u64; Refusal::ALL.len()] {
        std::array::from_fn(|index| self.refused[index].load(Relaxed))
    }

    pub(crate) fn all_cut(&self) -> [u64; Cut::ALL.len()] {
        std::array::from_fn(|index| self.cut[index].load(Relaxed))
    }
}

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
            table: Mutex::new(Table::new()),
            open: AtomicU32::new(0),
            released: Notify::new(),
            waiting: AtomicU32::new(0),
            promised: AtomicU32::new(0),
            refusing: AtomicU32::new(0),
            crowded_until: AtomicU32::new(0),
            maintained: AtomicBool::new(false),
            #[cfg(feature = "metrics")]
            published: super::metrics::Published::new(),
        }
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(crate) fn claim_maintenance(&self) -> bool {
        !self.maintained.swap(true, Relaxed)
    }

    pub(crate) fn disclaim_maintenance(&self) {
        self.maintained.store(false, Relaxed);
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
        let kept: u32 = self
            .classes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != class)
            .map(|(_, other)| other.unused_reserve())
            .sum();
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

    /// Takes a place for a connection whose address is not known yet.
    pub(crate) fn enter(self: &Arc<Self>, class: usize) -> Reservation {
        self.open.fetch_add(1, Relaxed);
        self.classes[class].enter();
        Reservation {
            core: Arc::clone(self),
            class,
            ip: None,
            was_leaving: false,
        }
    }

    fn leave(&self, class: usize, ip: Option<IpAddr>, was_leaving: bool) {
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

    fn kept_promise(&self) {
        let less = |count: u32| count.checked_sub(1);
        let _ = self.promised.fetch_update(Relaxed, Relaxed, less);
    }

    /// A newcomer found no descriptor, and nobody was idle.
    pub(crate) fn set_crowded(&self) {
        self.crowded_until
            .store(self.clock.now() + CROWDED, Relaxed);
    }

    /// Whether of late a newcomer found no descriptor and nobody who was idle. Connections then end with their responses.
    #[inline]
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded_until.load(Relaxed) > self.clock.now()
    }

    /// Counts a refused connection until the guard is dropped.
    pub(crate) fn refusing(self: &Arc<Self>) -> Refusing {
        self.refusing.fetch_add(1, Relaxed);
        Refusing(Arc::clone(self))
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

/// A refused connection that has not closed yet.
pub(crate) struct Refusing(Arc<Core>);

impl Drop for Refusing {
    fn drop(&mut self) {
        self.0.refusing.fetch_sub(1, Relaxed);
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

/// A counted place without a connection yet.
pub(crate) struct Reservation {
    core: Arc<Core>,
    class: usize,
    ip: Option<IpAddr>,
    /// Whether its class counts it among those that will leave.
    was_leaving: bool,
}

impl Reservation {
    /// Counts the client, too.
    pub(crate) fn name(&mut self, ip: Option<IpAddr>, limits: &Limits) -> Result<(), Refusal> {
        if let Some(ip) = ip
            && !self.core.is_exempt(self.class)
        {
            self.core.addresses.enter(ip, limits)?;
            self.ip = Some(ip);
        }
        Ok(())
    }

    /// Counts a refusal for the connection that it was for.
    pub(crate) fn refused(self, refusal: Refusal) {
        self.core.counters.refused(refusal);
    }

    /// Makes the connection known to everybody.
    pub(crate) fn take(self, descriptor: Option<i32>, handshakes: &Handshakes) -> Place {
        let core = &self.core;
        let shared = Arc::new(Shared::new(
            Arc::clone(core),
            self.class,
            self.ip,
            descriptor,
            handshakes.clone(),
        ));
        let now = core.clock.now();
        let first_check = now + ticks(core.limits.load().first_check());
        let index = core.table().insert(Arc::clone(&shared), now, first_check);
        core.counters.accepted.fetch_add(1, Relaxed);
        if core.is_draining() {
            // It slipped in between the drain's round and its own entry.
            shared.close(Cut::Drained);
        }
        Place {
            shared,
            index,
            reservation: self,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.core.leave(self.class, self.ip, self.was_leaving);
    }
}

/// A connection's place in the table; its stream owns it.
pub(crate) struct Place {
    shared: Arc<Shared>,
    index: u32,
    reservation: Reservation,
}

impl Place {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.shared.is_closing() && self.shared.reason() == Cut::Reclaimed {
            self.shared.core.kept_promise();
        }
        // The entry's own handle is dropped after the lock, with `shared`.
        let mark = self.shared.core.table().remove(self.index);
        self.reservation.was_leaving = mark.is_some_and(|mark| mark.leaving);
    }
}
