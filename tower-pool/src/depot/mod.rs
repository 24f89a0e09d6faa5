//! The depot that the buffer pool and the object pool have in common: idle items, a limit on what exists, a fair
//! queue for those who must wait for it, and an orderly end.
//!
//! *Where idle items are.* Each thread that uses a pool has a few of each class at hand, in a
//! [`Slot`](crate::raw::slot::Slot) which it alone reaches without any atomic read-modify-write. The
//! rest is in [`lane`]s, behind locks that are tried, not waited for. A slot is filled from a lane and
//! emptied into one by halves, so that the lanes' cost is shared by several acquisitions; whole by a thread
//! that only acquires, or only releases, as it has no use for the other half. Whoever needs
//! the whole picture *gathers*: it bars all slots and moves what is in them, items and counts, into the
//! lanes.
//!
//! *Cost.* Every item has a cost (bytes for a block, 1 for an object) and the ledger holds the sum
//! over all items that exist, idle or out. It changes when an item is made or destroyed, not when one
//! changes hands: an acquisition served from idle items writes nothing that another thread reads.
//!
//! *Waiting.* When the limit is reached the acquirer joins a first-in-first-out queue and sets
//! [`WAITERS`]. From then on new acquisitions queue behind it, and every release serves the queue's
//! head before anything else. No wake-up is lost: whoever leaves a waiter in the queue has gathered
//! since the flag was set, and while it is set a slot once barred stays barred; then it has locked each
//! lane in turn to look for an idle item. A release whose slot is barred reads the flag while it
//! holds a lane. If it held the lane before the look, the item was seen; if after, the lock's ordering
//! shows it the flag.
//!
//! *Closing.* [`CLOSED`] is set, all slots are barred for good, then every lane is locked once: whoever
//! takes a lane after that sees the flag. From then on the number of leases only falls.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, atomic::AtomicU64},
};

use crate::{
    raw::{
        barrier,
        local::Id,
        shared::{Counts, Root},
        slot::Register,
    },
    sync::{AtomicU32, AtomicUsize, Mutex, Ordering, lock},
};

mod give;
mod hand;
mod lane;
mod ledger;
mod queue;
mod take;
mod upkeep;

pub(crate) use lane::LaneState;
pub(crate) use queue::{Place, Wait};

use lane::Lanes;
use queue::Waiter;

/// Set in `mode` when the pool refuses new acquisitions.
const CLOSED: u32 = 1;
/// Set in `mode` while the queue is not empty.
const WAITERS: u32 = 2;
/// Set in `mode` when the last handle is gone.
const ORPHANED: u32 = 4;

/// Why nothing was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Closed,
    Exhausted,
}

/// What is shared by all handles of a pool; `X` is what the kind of pool adds.
///
/// The alignment leaves low bits of its address free for [`Held`](crate::raw::held::Held).
#[repr(align(128))]
pub(crate) struct Depot<T, X> {
    pub(crate) id: Id,
    pub(crate) extra: X,
    pub(crate) lanes: Lanes<T>,
    pub(crate) counts: Counts,
    /// Only while it is 0 may slots be open.
    mode: AtomicU32,
    used: AtomicUsize,
    limit: usize,
    /// Cost of one item by class.
    costs: Box<[usize]>,
    /// Items of each class that a thread has at hand at most.
    at_hand: Box<[usize]>,
    /// The most idle cost that one lane keeps.
    lane_ceiling: usize,
    events: Events,
    register: Mutex<Register<T>>,
    queue: Mutex<VecDeque<Arc<Waiter<T>>>>,
}

/// Counts of what happens rarely.
#[derive(Debug, Default)]
struct Events {
    waits: AtomicU64,
    trims: AtomicU64,
    /// The cost of what was trimmed.
    trimmed: AtomicU64,
}

impl Events {
    fn trim(&self, items: usize, cost: usize) {
        self.trims.fetch_add(items as u64, Ordering::Relaxed);
        let cost = (items * cost) as u64;
        self.trimmed.fetch_add(cost, Ordering::Relaxed);
    }
}

/// What kind of pool it is decides what happens around a depot.
pub(crate) trait Extra<T> {
    /// A thing came home while the pool was closing.
    fn came_home(&self);

    /// An idle item is given up.
    fn give_up(&self, item: T) {
        drop(item);
    }
}

/// How a depot is set up.
pub(crate) struct Setup {
    pub(crate) lanes: usize,
    /// Cost of one item by class.
    pub(crate) costs: Box<[usize]>,
    /// The most cost that exists.
    pub(crate) limit: usize,
    /// The most idle cost that one lane keeps.
    pub(crate) lane_ceiling: usize,
    /// The most cost of one class that a thread has at hand.
    pub(crate) hand_ceiling: usize,
}

/// Items of one class that a thread has at hand at most, whatever they cost.
const HAND: usize = 32;

impl<T, X> Depot<T, X> {
    pub(crate) fn build(setup: Setup, extra: X) -> Root<T, X> {
        barrier::prepare();
        // Of what a lane may keep, a hand keeps a quarter at most.
        let ceiling = setup.hand_ceiling.min(setup.lane_ceiling / 4);
        let at_hand = setup.costs.iter().map(|&cost| (ceiling / cost).min(HAND));
        Root::new(Self {
            id: Id::fresh(),
            extra,
            lanes: Lanes::new(setup.lanes, setup.costs.len()),
            counts: Counts::new(),
            mode: AtomicU32::new(0),
            used: AtomicUsize::new(0),
            limit: setup.limit,
            at_hand: at_hand.collect(),
            costs: setup.costs,
            lane_ceiling: setup.lane_ceiling,
            events: Events::default(),
            register: Mutex::new(Register::new()),
            queue: Mutex::new(VecDeque::new()),
        })
    }

    /// The cost of everything that exists.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.mode.load(Ordering::Acquire) & CLOSED != 0
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.queue).len()
    }
}

impl<T, X> fmt::Debug for Depot<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Depot")
            .field("lanes", &self.lanes)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
