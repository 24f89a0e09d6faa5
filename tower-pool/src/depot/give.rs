//! Taking back.

use super::{CLOSED, Depot, Extra, WAITERS};
use crate::{
    raw::shared::Lease,
    sync::{Ordering, thread_number},
};

impl<T: Send + 'static, X: Extra<T>> Depot<T, X> {
    /// Ends `lease` and keeps `item` for the next one, or destroys it.
    #[inline(always)]
    pub(crate) fn give(lease: Lease<T, X>, class: usize, item: T) {
        if let Err((lease, item)) = lease.give_to_hand(class, item) {
            Self::give_to_lane(lease, class, item);
        }
    }

    #[cold]
    #[inline(never)]
    fn give_to_lane(lease: Lease<T, X>, class: usize, item: T) {
        // While the lease lives: after it the depot may be gone.
        lease.settle_in();
        let kept = lease.finish(|depot, lane| {
            let cost = depot.costs[class];
            if lane.orphaned
                || depot.mode.load(Ordering::Relaxed) != 0
                || lane.idle_cost + cost > depot.lane_ceiling
            {
                return Err(item);
            }
            lane.shelf(class).in_use -= 1;
            lane.push(class, cost, item);
            depot.spill(lane, class);
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
    pub(super) fn shelve(&self, class: usize, item: T) {
        let cost = self.costs[class];
        let (_, mut lane) = self.lanes.any(thread_number());
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

    pub(super) fn end(lease: Lease<T, X>) {
        if lease.is_closed() {
            let alive = lease.alive();
            drop(lease);
            alive.extra.came_home();
        }
    }
}
