//! What the buffer pool and the object pool have in common: idle items in lanes, a limit on what
//! exists, a fair queue for those who must wait for it, and an orderly end.
//!
//! *Cost.* Every item has a cost (bytes for a block, 1 for an object) and the ledger holds the sum
//! over all items that exist, idle or out. It changes when an item is made or destroyed, not when one
//! changes hands: an acquisition served from idle items writes nothing that another thread reads.
//!
//! *Waiting.* When the limit is reached the acquirer joins a first-in-first-out queue and sets
//! [`WAITERS`]. From then on new acquisitions queue behind it, and every release serves the queue's
//! head before anything else. No wake-up is lost: the queue sets the flag, then locks each lane in
//! turn to look for an idle item; a release reads the flag while it holds its lane. If it held the
//! lane before the look, the item was seen; if after, the lock's ordering shows it the flag.
//!
//! *Closing.* [`CLOSED`] is set, then every lane is locked once: whoever takes a lane after that sees
//! it. From then on the number of leases only falls.

use std::{collections::VecDeque, fmt, sync::Arc, task::Waker};

use crate::{
    lane::{LaneState, Lanes},
    raw::shared::{Counts, Lease, Root},
    sync::{AtomicU32, AtomicUsize, Mutex, Ordering, lock},
};

/// Set in `mode` when the pool refuses new acquisitions.
pub(crate) const CLOSED: u32 = 1;
/// Set in `mode` while the queue is not empty.
pub(crate) const WAITERS: u32 = 2;

/// Why nothing was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Closed,
    Exhausted,
}

/// What is shared by all handles of a pool; `X` is what the kind of pool adds.
pub(crate) struct Core<T, X> {
    pub(crate) lanes: Lanes<T>,
    pub(crate) counts: Counts,
    mode: AtomicU32,
    used: AtomicUsize,
    limit: usize,
    /// Cost of one item by class.
    costs: Box<[usize]>,
    /// The most idle cost that one lane keeps.
    lane_ceiling: usize,
    queue: Mutex<VecDeque<Arc<Waiter<T>>>>,
    pub(crate) extra: X,
}

/// One place in the queue.
pub(crate) struct Waiter<T> {
    /// The class wanted; `None` wants cost alone.
    class: Option<usize>,
    cost: usize,
    slot: Mutex<Slot<T>>,
}

struct Slot<T> {
    waker: Option<Waker>,
    grant: Option<Grant<T>>,
}

/// What the queue hands to a waiter.
enum Grant<T> {
    Idle(T),
    Charge,
    Closed,
}

/// What kind of pool it is decides what happens around a core.
pub(crate) trait Extra {
    /// A thing came home while the pool was closing.
    fn came_home(&self);
}

impl<T, X: Extra> Core<T, X> {
    pub(crate) fn build(
        lanes: usize,
        costs: Box<[usize]>,
        limit: usize,
        lane_ceiling: usize,
        extra: X,
    ) -> Root<T, X> {
        Root::new(Self {
            lanes: Lanes::new(lanes, costs.len()),
            counts: Counts::new(),
            mode: AtomicU32::new(0),
            used: AtomicUsize::new(0),
            limit,
            costs,
            lane_ceiling,
            queue: Mutex::new(VecDeque::new()),
            extra,
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

    // ---- handing out -------------------------------------------------------------------------

    /// An idle item of `class`, or the right to make one: its cost is charged then.
    #[inline]
    pub(crate) fn take(
        root: &Root<T, X>,
        class: usize,
    ) -> Result<(Lease<T, X>, Option<T>), Refusal> {
        let cost = root.costs[class];
        let (lease, item) = root.checkout(|index, lane| {
            root.admit()?;
            let item = match lane.pop(class, cost) {
                Some(item) => Some(item),
                None => root.lanes.steal(index, lane, class, cost),
            };
            let shelf = lane.shelf(class);
            if item.is_some() {
                shelf.hits += 1;
            } else {
                shelf.misses += 1;
            }
            shelf.in_use += 1;
            Ok(item)
        })?;
        if item.is_some() {
            return Ok((lease, item));
        }
        Self::take_missed(lease, class, cost)
    }

    #[cold]
    fn take_missed(
        lease: Lease<T, X>,
        class: usize,
        cost: usize,
    ) -> Result<(Lease<T, X>, Option<T>), Refusal> {
        if lease.charge(cost) {
            return Ok((lease, None));
        }
        // At the limit: look again, and thoroughly, before saying so.
        let item = lease.find_idle(class);
        if item.is_some() || lease.make_room(Some(class), cost) {
            return Ok((lease, item));
        }
        lease.uncount_use(class);
        Self::end(lease);
        Err(Refusal::Exhausted)
    }

    /// The right to make an item of `class`, idle ones or not.
    pub(crate) fn take_place(root: &Root<T, X>, class: usize) -> Result<Lease<T, X>, Refusal> {
        let (lease, ()) = root.checkout(|_, lane| {
            root.admit()?;
            lane.shelf(class).in_use += 1;
            Ok(())
        })?;
        if lease.charge(root.costs[class]) {
            return Ok(lease);
        }
        lease.uncount_use(class);
        Self::end(lease);
        Err(Refusal::Exhausted)
    }

    /// An idle item in place of one that was destroyed, if there is one. The caller's lease stays, and
    /// one cost less is charged when there is.
    pub(crate) fn replace(&self, class: usize) -> Option<T> {
        let item = self.find_idle(class)?;
        self.uncharge(self.costs[class]);
        Some(item)
    }

    /// The right to make an item of no class with `cost`.
    pub(crate) fn take_unclassed(root: &Root<T, X>, cost: usize) -> Result<Lease<T, X>, Refusal> {
        let (lease, ()) = root.checkout(|_, _| root.admit())?;
        if lease.charge(cost) || lease.make_room(None, cost) {
            return Ok(lease);
        }
        Self::end(lease);
        Err(Refusal::Exhausted)
    }

    /// More for a lease that exists: ahead of the queue, since what is out must be able to finish.
    pub(crate) fn take_more(
        &self,
        class: Option<usize>,
        cost: usize,
    ) -> Result<Option<T>, Refusal> {
        if let Some(class) = class {
            let (index, mut lane) = self.lanes.any(crate::sync::thread_number());
            let mut item = lane.pop(class, cost);
            if item.is_none() {
                item = self.lanes.steal(index, &mut lane, class, cost);
            }
            let shelf = lane.shelf(class);
            shelf.in_use += 1;
            if item.is_some() {
                shelf.hits += 1;
                return Ok(item);
            }
            shelf.misses += 1;
        }
        if self.charge(cost) {
            return Ok(None);
        }
        let item = class.and_then(|class| self.find_idle(class));
        if item.is_some() || self.make_room(class, cost) {
            return Ok(item);
        }
        if let Some(class) = class {
            self.uncount_use(class);
        }
        Err(Refusal::Exhausted)
    }

    #[inline]
    fn admit(&self) -> Result<(), Refusal> {
        match self.mode.load(Ordering::Relaxed) {
            0 => Ok(()),
            mode if mode & CLOSED != 0 => Err(Refusal::Closed),
            _ => Err(Refusal::Exhausted),
        }
    }

    pub(crate) fn uncount_use(&self, class: usize) {
        self.lanes
            .any(crate::sync::thread_number())
            .1
            .shelf(class)
            .in_use -= 1;
    }

    /// An idle item of `class` from any lane, each looked at under its lock.
    fn find_idle(&self, class: usize) -> Option<T> {
        self.lanes
            .iter()
            .find_map(|lane| lane.lock().pop(class, self.costs[class]))
    }

    // ---- taking back -------------------------------------------------------------------------

    /// Ends `lease` and keeps `item` for the next one, or destroys it.
    #[inline]
    pub(crate) fn give(lease: Lease<T, X>, class: usize, item: T) {
        let kept = lease.finish(|core, lane| {
            let cost = core.costs[class];
            if lane.orphaned
                || core.mode.load(Ordering::Relaxed) != 0
                || lane.idle_cost + cost > core.lane_ceiling
            {
                return Err(item);
            }
            lane.shelf(class).in_use -= 1;
            lane.push(class, cost, item);
            Ok(())
        });
        if let Err((lease, item)) = kept {
            lease.give_slowly(class, item);
            Self::end(lease);
        }
    }

    /// Ends `lease` after its item was destroyed.
    pub(crate) fn give_nothing(lease: Lease<T, X>, class: Option<usize>, cost: usize) {
        if let Some(class) = class {
            lease.uncount_use(class);
        }
        lease.uncharge(cost);
        Self::end(lease);
    }

    /// Takes back an item whose lease goes on with another.
    pub(crate) fn give_slowly(&self, class: usize, item: T) {
        self.uncount_use(class);
        self.shelve(class, item);
    }

    /// Keeps an item that is not counted as in use, or destroys it.
    fn shelve(&self, class: usize, item: T) {
        let cost = self.costs[class];
        let (_, mut lane) = self.lanes.any(crate::sync::thread_number());
        let mode = self.mode.load(Ordering::Relaxed);
        if lane.orphaned
            || mode & CLOSED != 0
            || (mode == 0 && lane.idle_cost + cost > self.lane_ceiling)
        {
            drop(lane);
            drop(item);
            self.uncharge(cost);
            return;
        }
        lane.push(class, cost, item);
        drop(lane);
        if mode & WAITERS != 0 {
            self.serve();
        }
    }

    fn end(lease: Lease<T, X>) {
        if lease.is_closed() {
            let alive = lease.alive();
            drop(lease);
            alive.extra.came_home();
        }
    }

    // ---- the ledger --------------------------------------------------------------------------

    fn charge(&self, cost: usize) -> bool {
        let mut used = self.used.load(Ordering::SeqCst);
        loop {
            match used.checked_add(cost) {
                Some(sum) if sum <= self.limit => {
                    match self.used.compare_exchange_weak(
                        used,
                        sum,
                        Ordering::SeqCst,
                        Ordering::SeqCst,
                    ) {
                        Ok(_) => return true,
                        Err(now) => used = now,
                    }
                }
                _ => return false,
            }
        }
    }

    /// Takes `cost` off the ledger after the item was destroyed.
    pub(crate) fn uncharge(&self, cost: usize) {
        self.used.fetch_sub(cost, Ordering::SeqCst);
        if self.mode.load(Ordering::SeqCst) & WAITERS != 0 {
            self.serve();
        }
    }

    /// Charges `cost` after destroying idle items of other classes, the largest first.
    fn make_room(&self, wanted: Option<usize>, cost: usize) -> bool {
        if cost > self.limit {
            return false;
        }
        let mut evicted = Vec::new();
        for class in (0..self.costs.len()).rev() {
            if Some(class) == wanted {
                continue;
            }
            for lane in self.lanes.iter() {
                loop {
                    let taken = lane
                        .lock()
                        .take_coldest(class, self.costs[class], 1, &mut evicted);
                    if taken == 0 {
                        break;
                    }
                    evicted.clear();
                    self.used.fetch_sub(self.costs[class], Ordering::SeqCst);
                    if self.charge(cost) {
                        return true;
                    }
                }
            }
        }
        self.charge(cost)
    }

    // ---- the queue ---------------------------------------------------------------------------

    /// Joins the queue: at its head when the waiter already holds something.
    pub(crate) fn enqueue(
        &self,
        class: Option<usize>,
        cost: usize,
        place: Place,
    ) -> Result<Arc<Waiter<T>>, Refusal> {
        let waiter = Arc::new(Waiter {
            class,
            cost,
            slot: Mutex::new(Slot {
                waker: None,
                grant: None,
            }),
        });
        {
            let mut queue = lock(&self.queue);
            if self.mode.fetch_or(WAITERS, Ordering::SeqCst) & CLOSED != 0 {
                if queue.is_empty() {
                    self.mode.fetch_and(!WAITERS, Ordering::SeqCst);
                }
                return Err(Refusal::Closed);
            }
            match place {
                Place::Back => queue.push_back(waiter.clone()),
                Place::Front => queue.push_front(waiter.clone()),
            }
        }
        self.serve();
        Ok(waiter)
    }

    /// Hands what there is to the queue's head, as far as it goes.
    fn serve(&self) {
        let mut wakers = Vec::new();
        {
            let mut queue = lock(&self.queue);
            while let Some(head) = queue.front() {
                let idle = head.class.and_then(|class| self.find_idle(class));
                let grant = match idle {
                    Some(item) => Grant::Idle(item),
                    None if self.charge(head.cost) || self.make_room(head.class, head.cost) => {
                        Grant::Charge
                    }
                    None => break,
                };
                let mut slot = lock(&head.slot);
                slot.grant = Some(grant);
                wakers.extend(slot.waker.take());
                drop(slot);
                queue.pop_front();
            }
            if queue.is_empty() {
                self.mode.fetch_and(!WAITERS, Ordering::SeqCst);
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// What the queue gave to `waiter`: an idle item or a charge; `None` so far nothing.
    pub(crate) fn poll_waiter(
        &self,
        waiter: &Waiter<T>,
        waker: &Waker,
    ) -> Option<Result<Option<T>, Refusal>> {
        let mut slot = lock(&waiter.slot);
        match slot.grant.take() {
            Some(Grant::Idle(item)) => Some(Ok(Some(item))),
            Some(Grant::Charge) => Some(Ok(None)),
            Some(Grant::Closed) => Some(Err(Refusal::Closed)),
            None => {
                match &mut slot.waker {
                    Some(kept) => kept.clone_from(waker),
                    none => *none = Some(waker.clone()),
                }
                None
            }
        }
    }

    /// Counts the lease of a grant; hands the grant back when the pool closed meanwhile.
    pub(crate) fn lease_granted(
        root: &Root<T, X>,
        class: Option<usize>,
        cost: usize,
        item: Option<T>,
    ) -> Result<(Lease<T, X>, Option<T>), Refusal> {
        let counted = root.checkout(|_, lane| {
            if root.mode.load(Ordering::Relaxed) & CLOSED != 0 {
                return Err(Refusal::Closed);
            }
            if let Some(class) = class {
                let shelf = lane.shelf(class);
                shelf.in_use += 1;
                if item.is_some() {
                    shelf.hits += 1;
                } else {
                    shelf.misses += 1;
                }
            }
            Ok(())
        });
        match counted {
            Ok((lease, ())) => Ok((lease, item)),
            Err(refusal) => {
                drop(item);
                root.uncharge(cost);
                Err(refusal)
            }
        }
    }

    /// Counts the use of a grant made to a lease that exists.
    pub(crate) fn count_use(&self, class: Option<usize>) {
        if let Some(class) = class {
            self.lanes
                .any(crate::sync::thread_number())
                .1
                .shelf(class)
                .in_use += 1;
        }
    }

    /// Leaves the queue; what had been granted goes to the next.
    pub(crate) fn abandon(&self, waiter: &Arc<Waiter<T>>) {
        {
            let mut queue = lock(&self.queue);
            queue.retain(|other| !Arc::ptr_eq(other, waiter));
            if queue.is_empty() {
                self.mode.fetch_and(!WAITERS, Ordering::SeqCst);
            }
        }
        let grant = lock(&waiter.slot).grant.take();
        match (grant, waiter.class) {
            (Some(Grant::Idle(item)), Some(class)) => self.shelve(class, item),
            (Some(Grant::Idle(item)), None) => {
                drop(item);
                self.uncharge(waiter.cost);
            }
            (Some(Grant::Charge), _) => self.uncharge(waiter.cost),
            (Some(Grant::Closed) | None, _) => {}
        }
        self.serve();
    }

    // ---- the end -----------------------------------------------------------------------------

    /// Refuses new acquisitions, fails the queue and destroys what is idle. Idempotent.
    pub(crate) fn close(&self) {
        self.mode.fetch_or(CLOSED, Ordering::SeqCst);
        let queue = std::mem::take(&mut *lock(&self.queue));
        self.mode.fetch_and(!WAITERS, Ordering::SeqCst);
        for waiter in queue {
            let mut slot = lock(&waiter.slot);
            slot.grant = Some(Grant::Closed);
            let waker = slot.waker.take();
            drop(slot);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        for lane in self.lanes.iter() {
            let mut lane = lane.lock();
            let cost = lane.idle_cost;
            let idle = lane.take_all();
            drop(lane);
            drop(idle);
            self.used.fetch_sub(cost, Ordering::SeqCst);
        }
    }

    /// Things out. Exact once the pool is closed, momentary before.
    pub(crate) fn leases(&self) -> usize {
        let sum: isize = self.lanes.iter().map(|lane| lane.lock().leases).sum();
        usize::try_from(sum).unwrap_or(0)
    }

    // ---- looking and trimming ----------------------------------------------------------------

    /// Calls `look` on every lane under its lock.
    pub(crate) fn for_each_lane(&self, mut look: impl FnMut(&mut LaneState<T>)) {
        for lane in self.lanes.iter() {
            look(&mut lane.lock());
        }
    }

    /// Takes up to `count` idle items of `class`, the coldest of each lane first, off the pool and
    /// the ledger, and destroys each with `destroy`. Returns how many.
    pub(crate) fn trim(&self, class: usize, count: usize, mut destroy: impl FnMut(T)) -> usize {
        let cost = self.costs[class];
        let mut trimmed = 0;
        let mut taken = Vec::new();
        // First what was not needed since the last look, then the rest.
        for untouched in [true, false] {
            for lane in self.lanes.iter() {
                let wanted = count - trimmed;
                if wanted == 0 {
                    return trimmed;
                }
                let mut lane = lane.lock();
                let most = if untouched {
                    lane.shelf(class).low
                } else {
                    usize::MAX
                };
                let here = lane.take_coldest(class, cost, wanted.min(most), &mut taken);
                drop(lane);
                trimmed += here;
                taken.drain(..).for_each(&mut destroy);
                if here > 0 {
                    self.uncharge(cost * here);
                }
            }
        }
        trimmed
    }

    /// Destroys the idle items of `class` that `condemned` names. Returns how many.
    pub(crate) fn evict(&self, class: usize, condemned: impl Fn(&T) -> bool) -> usize {
        let cost = self.costs[class];
        let mut evicted = 0;
        for lane in self.lanes.iter() {
            let taken = lane.lock().take_if(class, cost, &condemned);
            let count = taken.len();
            drop(taken);
            if count > 0 {
                self.uncharge(cost * count);
            }
            evicted += count;
        }
        evicted
    }

    /// The sums of the lanes' figures.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals {
            classes: vec![ClassTotals::default(); self.costs.len()],
            leases: 0,
        };
        let mut in_use = vec![0isize; self.costs.len()];
        let mut leases = 0;
        self.for_each_lane(|lane| {
            leases += lane.leases;
            for (class, total) in totals.classes.iter_mut().enumerate() {
                let shelf = lane.shelf(class);
                total.idle += shelf.idle.len();
                total.hits += shelf.hits;
                total.misses += shelf.misses;
                in_use[class] += shelf.in_use;
            }
        });
        for (total, in_use) in totals.classes.iter_mut().zip(in_use) {
            total.in_use = usize::try_from(in_use).unwrap_or(0);
        }
        totals.leases = usize::try_from(leases).unwrap_or(0);
        totals
    }

    /// Puts an item made in advance among the idle ones, its cost charged; `false` at the limit.
    pub(crate) fn stock(
        &self,
        class: usize,
        number: usize,
        make: impl FnOnce() -> Option<T>,
    ) -> bool {
        let cost = self.costs[class];
        if !self.charge(cost) {
            return false;
        }
        let Some(item) = make() else {
            self.uncharge(cost);
            return false;
        };
        let (_, mut lane) = self.lanes.any(number);
        if self.mode.load(Ordering::Relaxed) & CLOSED != 0
            || lane.idle_cost + cost > self.lane_ceiling
        {
            drop(lane);
            drop(item);
            self.uncharge(cost);
            return false;
        }
        lane.push(class, cost, item);
        true
    }
}

/// The sums of the lanes' figures. Lanes are read one after another, so that under traffic they are
/// off by what moved meanwhile.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) classes: Vec<ClassTotals>,
    /// Things out.
    pub(crate) leases: usize,
}

/// The figures of one class.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ClassTotals {
    pub(crate) idle: usize,
    pub(crate) in_use: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

/// Where a waiter joins the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Back,
    Front,
}

impl<T, X> fmt::Debug for Core<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("lanes", &self.lanes)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
