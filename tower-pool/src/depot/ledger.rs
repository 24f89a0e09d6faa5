//! The sum of all costs, and its limit.

use super::{Depot, Extra, WAITERS};
use crate::sync::Ordering;

impl<T: Send + 'static, X: Extra<T>> Depot<T, X> {
    pub(super) fn charge(&self, cost: usize) -> bool {
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
    pub(super) fn make_room(&self, wanted: Option<usize>, cost: usize) -> bool {
        if cost > self.limit {
            return false;
        }
        self.gather();
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
                    evicted.drain(..).for_each(|item| self.extra.give_up(item));
                    self.events.trim(1, self.costs[class]);
                    self.used.fetch_sub(self.costs[class], Ordering::SeqCst);
                    if self.charge(cost) {
                        return true;
                    }
                }
            }
        }
        self.charge(cost)
    }
}
