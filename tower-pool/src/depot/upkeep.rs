//! Looking at a pool, trimming it, and its end.

use super::{CLOSED, Depot, Extra, LaneState};
use crate::sync::Ordering;

/// The sums of the lanes' figures. Lanes are read one after another, so that under traffic they are
/// off by what moved meanwhile.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) classes: Vec<ClassTotals>,
    /// Things out.
    pub(crate) leases: usize,
    pub(crate) waits: u64,
    /// Idle items given up, and their cost.
    pub(crate) trims: u64,
    pub(crate) trimmed: u64,
}

/// The figures of one class.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ClassTotals {
    pub(crate) idle: usize,
    pub(crate) in_use: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

impl<T: Send + 'static, X: Extra<T>> Depot<T, X> {
    /// Refuses new acquisitions, fails the queue and destroys what is idle. Idempotent.
    pub(crate) fn close(&self) {
        self.mode.fetch_or(CLOSED, Ordering::SeqCst);
        self.fail_all();
        self.gather();
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
        self.gather();
        let sum: isize = self.lanes.iter().map(|lane| lane.lock().leases).sum();
        usize::try_from(sum).unwrap_or(0)
    }

    /// Gathers, then calls `look` on every lane under its lock.
    pub(crate) fn for_each_lane(&self, mut look: impl FnMut(&mut LaneState<T>)) {
        self.gather();
        for lane in self.lanes.iter() {
            look(&mut lane.lock());
        }
    }

    /// Takes up to `count` idle items of `class`, the coldest of each lane first, off the pool and
    /// the ledger, and gives them up. Returns how many.
    pub(crate) fn trim(&self, class: usize, count: usize) -> usize {
        let cost = self.costs[class];
        self.gather();
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
                taken.drain(..).for_each(|item| self.extra.give_up(item));
                if here > 0 {
                    self.events.trim(here, cost);
                    self.uncharge(cost * here);
                }
            }
        }
        trimmed
    }

    /// Destroys the idle items of `class` that `condemned` names. Returns how many.
    pub(crate) fn evict(&self, class: usize, condemned: impl Fn(&T) -> bool) -> usize {
        let cost = self.costs[class];
        self.gather();
        let mut evicted = 0;
        for lane in self.lanes.iter() {
            let taken = lane.lock().take_if(class, cost, &condemned);
            let count = taken.len();
            drop(taken);
            if count > 0 {
                self.events.trim(count, cost);
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
            waits: self.events.waits.load(Ordering::Relaxed),
            trims: self.events.trims.load(Ordering::Relaxed),
            trimmed: self.events.trimmed.load(Ordering::Relaxed),
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
