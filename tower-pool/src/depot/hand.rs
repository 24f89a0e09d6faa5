//! Between what threads have at hand and the lanes.

use super::{Depot, LaneState, ORPHANED};
use crate::{
    raw::slot::Hand,
    sync::{Ordering, lock},
};

/// How often in a row a thread is refused its own slot before it asks for it back. Barring costs a
/// system call, so a pool that keeps reaching its limit should not open its slots in between.
const PATIENCE: u32 = if cfg!(pool_loom) { 1 } else { 64 };

impl<T, X> Depot<T, X> {
    /// Moves everything that threads have at hand into the lanes, items and counts.
    pub(crate) fn gather(&self) {
        let mut register = lock(&self.register);
        register.inspect(
            |number, hands| {
                let idle =
                    |hand: &Hand<T>| hand.items.is_empty() && hand.taken == 0 && hand.given == 0;
                if hands.iter().all(idle) {
                    return;
                }
                let mut lane = self.lanes.at(number).lock();
                for (class, hand) in hands.iter_mut().enumerate() {
                    lane.extend(class, self.costs[class], hand.items.drain(..));
                    let taken = std::mem::take(&mut hand.taken);
                    let given = std::mem::take(&mut hand.given);
                    let out = taken.wrapping_sub(given).cast_signed();
                    lane.leases += out;
                    let shelf = lane.shelf(class);
                    shelf.in_use += out;
                    shelf.hits += taken as u64;
                }
            },
            || self.mode.load(Ordering::SeqCst) == 0,
        );
    }

    /// Bars all slots for good and gathers what is in them: the last handle is gone.
    pub(crate) fn orphan(&self) {
        self.mode.fetch_or(ORPHANED, Ordering::SeqCst);
        self.gather();
    }
}

impl<T: Send + 'static, X> Depot<T, X> {
    /// Fills the thread's hand with items of `class`: to half, so that there is room for what comes home, or whole when
    /// nothing came since it was last filled.
    pub(super) fn refill(&self, lane: &mut LaneState<T>, class: usize) {
        self.at_hand(|hands| {
            let hand = &mut hands[class];
            let capacity = hand.items.capacity();
            let wanted = if hand.only_taken() {
                capacity
            } else {
                capacity.div_ceil(2)
            };
            let count = wanted.saturating_sub(hand.items.len());
            lane.fill(class, self.costs[class], count, &mut hand.items);
        });
    }

    /// Empties the thread's full hand, the coldest items first and as far as the lane takes them: to half, so that what
    /// is acquired next is at hand, or whole when nothing was since it was last emptied.
    pub(super) fn spill(&self, lane: &mut LaneState<T>, class: usize) {
        self.at_hand(|hands| {
            let hand = &mut hands[class];
            let capacity = hand.items.capacity();
            if hand.items.len() < capacity {
                return;
            }
            let excess = if hand.only_given() {
                capacity
            } else {
                capacity / 2
            };
            let cost = self.costs[class];
            let room = self.lane_ceiling.saturating_sub(lane.idle_cost) / cost;
            lane.extend(class, cost, hand.items.drain(..excess.min(room)));
        });
    }

    /// Makes sure that the thread has a slot, and may use it, next time.
    pub(super) fn settle_in(&self) {
        match self.refused() {
            Some(0..PATIENCE) => {}
            Some(_) => {
                let mut register = lock(&self.register);
                // Whoever sets a mode gathers after that, so it bars again what is opened here.
                if self.mode.load(Ordering::SeqCst) == 0 {
                    register.reopen();
                }
            }
            None if self.at_hand.iter().all(|&capacity| capacity == 0) => {}
            None => {
                let mut register = lock(&self.register);
                // As above: a mode that is set after this will find the slot in the register.
                if self.mode.load(Ordering::SeqCst) == 0
                    && let Some(slot) = self.adopt(&self.at_hand)
                {
                    register.add(slot);
                }
            }
        }
    }
}
