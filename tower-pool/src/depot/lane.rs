//! The sharded free lists.
//!
//! A lane is a set of shelves, one for each class, behind one [`TryLock`], padded to two cache lines.
//! A thread prefers the lane of its number, so that what a worker releases it finds again, warm; two
//! threads meet in a lane only when there are more threads than lanes. A shelf is a stack: the item
//! used last is handed out first and the cold ones gather at the bottom, where trimming takes them.
//!
//! An empty shelf steals up to [`STEAL`] items of another lane's, first of the one that it stole from last: in a
//! program that acquires on one thread and releases on another, the transfer costs a few cold cache lines for each batch.

use std::fmt;

use crate::{
    raw::try_lock::{TryGuard, TryLock},
    sync::{spin_loop, yield_now},
};

/// The most items that one steal moves: all that there are, unless there are more. Who acquires what another
/// releases comes back at once for what is left of it, and the lines of memory in which the two meet cost more than
/// moving items does.
const STEAL: usize = 64;

/// How often a steal looks at lanes that are locked.
const LOOKS: usize = if cfg!(pool_loom) { 2 } else { 64 };

/// How many of the last looks let others run before, as the one who holds the lock may have been interrupted.
const YIELDS: usize = 4;

/// The most lanes: more than threads that run at once on any machine, and few enough to look through.
const LANES: usize = 1024;

/// Room for items on a shelf made in advance, so that the steady state does not grow the list.
const SHELF: usize = 8;

#[repr(align(128))]
struct Lane<T>(TryLock<LaneState<T>>);

/// What one lane holds.
pub(crate) struct LaneState<T> {
    shelves: Box<[Shelf<T>]>,
    /// Things out that were counted here, less those that came home here.
    pub(crate) leases: isize,
    /// Whether the last root has been here.
    pub(crate) orphaned: bool,
    /// The cost of everything idle here.
    pub(crate) idle_cost: usize,
    /// How far from here the lane is that was stolen from last.
    victim: usize,
}

/// The idle items of one class in one lane, and what happened to the class there.
#[repr(align(64))]
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    pub(crate) idle: Vec<T>,
    /// The fewest idle items since the last look: those below were not needed.
    pub(crate) low: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Taken here less given here; only the sum over lanes means something.
    pub(crate) in_use: isize,
}

impl<T> LaneState<T> {
    #[inline]
    pub(crate) fn shelf(&mut self, class: usize) -> &mut Shelf<T> {
        &mut self.shelves[class]
    }

    /// The item used last, if any.
    #[inline]
    pub(crate) fn pop(&mut self, class: usize, cost: usize) -> Option<T> {
        let shelf = &mut self.shelves[class];
        let item = shelf.idle.pop()?;
        shelf.low = shelf.low.min(shelf.idle.len());
        self.idle_cost -= cost;
        Some(item)
    }

    #[inline]
    pub(crate) fn push(&mut self, class: usize, cost: usize, item: T) {
        self.idle_cost += cost;
        self.shelves[class].idle.push(item);
    }

    /// Takes `items` over, the coldest first.
    pub(crate) fn extend(
        &mut self,
        class: usize,
        cost: usize,
        items: impl ExactSizeIterator<Item = T>,
    ) {
        self.idle_cost += cost * items.len();
        self.shelves[class].idle.extend(items);
    }

    /// Moves the `count` items used last to `hand`, or all that there are. It has room for them.
    pub(crate) fn fill(&mut self, class: usize, cost: usize, count: usize, hand: &mut Vec<T>) {
        let shelf = &mut self.shelves[class];
        let rest = shelf.idle.len().saturating_sub(count);
        self.idle_cost -= cost * (shelf.idle.len() - rest);
        hand.extend(shelf.idle.drain(rest..));
        shelf.low = shelf.low.min(rest);
    }

    /// Takes up to `count` items that have been idle the longest.
    pub(crate) fn take_coldest(
        &mut self,
        class: usize,
        cost: usize,
        count: usize,
        into: &mut Vec<T>,
    ) -> usize {
        let shelf = &mut self.shelves[class];
        let count = count.min(shelf.idle.len());
        into.extend(shelf.idle.drain(..count));
        shelf.low = shelf.low.saturating_sub(count);
        if shelf.idle.capacity() > SHELF && shelf.idle.len() < shelf.idle.capacity() / 4 {
            let room = (shelf.idle.len() * 2).max(SHELF);
            shelf.idle.shrink_to(room);
        }
        self.idle_cost -= cost * count;
        count
    }

    /// Moves up to [`STEAL`] items of `class` to `own`, and returns one of them.
    fn hand_over(&mut self, own: &mut Self, class: usize, cost: usize) -> Option<T> {
        let shelf = &mut self.shelves[class];
        let idle = shelf.idle.len();
        let count = idle.min(STEAL);
        let mut moved = shelf.idle.drain(idle - count..);
        let first = moved.next()?;
        own.shelves[class].idle.extend(moved);
        shelf.low = shelf.low.min(shelf.idle.len());
        self.idle_cost -= cost * count;
        own.idle_cost += cost * (count - 1);
        Some(first)
    }

    /// Takes the items of `class` that `condemned` names.
    pub(crate) fn take_if(
        &mut self,
        class: usize,
        cost: usize,
        condemned: impl Fn(&T) -> bool,
    ) -> Vec<T> {
        let shelf = &mut self.shelves[class];
        let taken: Vec<T> = shelf.idle.extract_if(.., |item| condemned(item)).collect();
        shelf.low = shelf.low.min(shelf.idle.len());
        self.idle_cost -= cost * taken.len();
        taken
    }

    /// Takes everything.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        let mut all = Vec::new();
        for shelf in &mut self.shelves {
            all.append(&mut shelf.idle);
            shelf.low = 0;
        }
        self.idle_cost = 0;
        all
    }
}

/// All lanes of a pool.
pub(crate) struct Lanes<T> {
    lanes: Box<[Lane<T>]>,
    mask: usize,
}

impl<T> Lanes<T> {
    /// `count` lanes, rounded up to a power of two, at most [`LANES`], with `classes` shelves each.
    pub(crate) fn new(count: usize, classes: usize) -> Self {
        let count = count.clamp(1, LANES).next_power_of_two();
        let lane = || {
            let shelf = || Shelf {
                idle: Vec::with_capacity(SHELF),
                low: 0,
                hits: 0,
                misses: 0,
                in_use: 0,
            };
            Lane(TryLock::new(LaneState {
                shelves: (0..classes).map(|_| shelf()).collect(),
                leases: 0,
                orphaned: false,
                idle_cost: 0,
                victim: 1,
            }))
        };
        Self {
            lanes: (0..count).map(|_| lane()).collect(),
            mask: count - 1,
        }
    }

    /// The lane of `number`, or the next one that is free.
    #[inline]
    pub(crate) fn any(&self, number: usize) -> (usize, TryGuard<'_, LaneState<T>>) {
        let index = number & self.mask;
        if let Some(guard) = self.lanes[index].0.try_lock() {
            return (index, guard);
        }
        self.other(index)
    }

    #[cold]
    fn other(&self, mut index: usize) -> (usize, TryGuard<'_, LaneState<T>>) {
        let mut tries = 0usize;
        loop {
            index = (index + 1) & self.mask;
            if let Some(guard) = self.lanes[index].0.try_lock() {
                return (index, guard);
            }
            tries += 1;
            if cfg!(pool_loom) || tries > 4 * self.mask {
                yield_now();
                tries = 0;
            }
        }
    }

    /// Moves up to [`STEAL`] items of `class` of another lane's into `own`, and returns one of them.
    ///
    /// A lane that is locked is looked at again: what its owner is putting there may be all there is, and to make
    /// a new item instead would let the pool grow for ever where one thread acquires and another releases. Both may
    /// want the other's lane, so nobody waits for long.
    pub(crate) fn steal(
        &self,
        own_index: usize,
        own: &mut LaneState<T>,
        class: usize,
        cost: usize,
    ) -> Option<T> {
        for look in 0..LOOKS {
            let mut busy = false;
            let last = own.victim;
            for offset in (last..=self.mask).chain(1..last) {
                match self.lanes[(own_index + offset) & self.mask].0.try_lock() {
                    None => busy = true,
                    Some(mut victim) => {
                        if let Some(item) = victim.hand_over(own, class, cost) {
                            own.victim = offset;
                            return Some(item);
                        }
                    }
                }
            }
            if !busy {
                break;
            }
            if cfg!(pool_loom) || look >= LOOKS - YIELDS {
                yield_now();
            } else {
                spin_loop();
            }
        }
        None
    }

    /// The lane of `number`.
    pub(crate) fn at(&self, number: usize) -> &TryLock<LaneState<T>> {
        &self.lanes[number & self.mask].0
    }

    /// Every lane's lock in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TryLock<LaneState<T>>> {
        self.lanes.iter().map(|lane| &lane.0)
    }
}

impl<T> fmt::Debug for Lanes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("lanes", &self.lanes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, pool_loom))]
mod model {
    use loom::{sync::Arc, thread};

    use super::*;

    /// A new item was made in the place of one that lay in a lane which was locked for a moment.
    #[test]
    fn an_item_in_a_locked_lane_is_found() {
        loom::model(|| {
            let lanes = Arc::new(Lanes::new(2, 1));
            lanes.at(1).lock().push(0, 1, "idle");
            let owner = {
                let lanes = lanes.clone();
                thread::spawn(move || drop(lanes.at(1).lock()))
            };
            let (index, mut own) = lanes.any(0);
            assert_eq!(lanes.steal(index, &mut own, 0, 1), Some("idle"));
            drop(own);
            owner.join().unwrap();
        });
    }
}

#[cfg(all(test, not(pool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_steal_begins_where_the_last_one_succeeded() {
        let lanes = Lanes::new(4, 1);
        lanes.at(1).lock().extend(0, 1, 0..10);
        lanes.at(3).lock().extend(0, 1, 100..200);
        let mut own = lanes.at(2).lock();
        let mut steal = || {
            let first = lanes.steal(2, &mut own, 0, 1);
            let mut rest = Vec::new();
            own.fill(0, 1, usize::MAX, &mut rest);
            assert_eq!(own.idle_cost, 0);
            (first, rest.len())
        };
        assert_eq!(steal(), (Some(136), STEAL - 1));
        lanes.at(3).lock().extend(0, 1, 300..301);
        // All that there is, and not less of what was put there since.
        assert_eq!(steal(), (Some(100), 36));
        assert_eq!(steal(), (Some(0), 9));
        lanes.at(1).lock().push(0, 1, 11);
        lanes.at(3).lock().push(0, 1, 12);
        assert_eq!(steal(), (Some(11), 0));
        assert_eq!(steal(), (Some(12), 0));
        assert_eq!(steal(), (None, 0));
    }

    #[test]
    fn a_single_lane_has_nobody_to_steal_from() {
        let lanes = Lanes::<u32>::new(1, 1);
        assert_eq!(lanes.steal(0, &mut lanes.at(0).lock(), 0, 1), None);
    }
}
