//! All connections, in two orders at once.
//!
//! A slab of slots; each slot is a link of up to two intrusive lists. The lists of one order are keyed by a tick, and
//! the keys are in a `BTreeMap`, so that the earliest list is at hand.
//!
//! - [`Order::Activity`]: by the last byte, for finding the longest idle.
//! - [`Order::Check`]: by when somebody must look at it again, for the deadlines.
//!
//! A connection that is active does not move in either order: it only stamps its own state. An entry's key is thus a lower
//! bound, and is put right when somebody comes by. An entry whose stamp is newer than its key moves on to where it
//! belongs, once per visit; the deadlines visit each connection every few seconds, so the order by activity is never far
//! off.
//!
//! Costs: entering and leaving are O(log k) in the number of keys, at most some thousands of ticks; finding the longest
//! idle costs as many moves as connections were active since they were last visited. Nothing ever walks the table, but for
//! a snapshot.

use std::{collections::BTreeMap, sync::Arc};

use crate::admission::Shared;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Activity = 0,
    Check = 1,
}

#[derive(Clone, Copy)]
struct Link {
    /// The list it is in.
    key: u32,
    previous: u32,
    next: u32,
    linked: bool,
}

const UNLINKED: Link = Link {
    key: 0,
    previous: NONE,
    next: NONE,
    linked: false,
};

/// What a check remembers until the next one: when and
/// where the counters stood when the client was first found slow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) slow_reader: Option<(u32, u64)>,
    pub(crate) slow_body: Option<(u32, u64)>,
    /// When it was first found idle after a close was asked for.
    pub(crate) closed: Option<u32>,
    /// Whether its class counts it among those that will leave.
    pub(crate) leaving: bool,
}

struct Slot {
    links: [Link; 2],
    /// `None` in the list of free slots, which is linked by `links[0].next`.
    connection: Option<Arc<Shared>>,
    mark: Mark,
}

pub(crate) struct Table {
    slots: Vec<Slot>,
    free: u32,
    lists: [BTreeMap<u32, List>; 2],
    /// How often a slot was looked at, a walk counting as all of them.
    #[cfg(test)]
    touched: std::cell::Cell<usize>,
}

/// The entries of one key, those that came first first.
#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            lists: [BTreeMap::new(), BTreeMap::new()],
            #[cfg(test)]
            touched: Default::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn touched(&self) -> usize {
        self.touched.get()
    }

    fn slot(&mut self, index: u32) -> &mut Slot {
        #[cfg(test)]
        self.touched.set(self.touched.get() + 1);
        &mut self.slots[index as usize]
    }

    /// Enters a connection in both orders.
    pub(crate) fn insert(&mut self, connection: Arc<Shared>, activity: u32, check: u32) -> u32 {
        let slot = Slot {
            links: [UNLINKED; 2],
            connection: Some(connection),
            mark: Mark::default(),
        };
        let index = if self.free == NONE {
            let index = u32::try_from(self.slots.len()).expect("fewer connections than 2^32");
            self.slots.push(slot);
            index
        } else {
            let index = self.free;
            self.free = self.slot(index).links[0].next;
            *self.slot(index) = slot;
            index
        };
        self.put(Order::Activity, index, activity);
        self.put(Order::Check, index, check);
        index
    }

    /// Takes a connection out, with what was remembered of it. A slot that is free already is left alone.
    pub(crate) fn remove(&mut self, index: u32) -> Option<Mark> {
        self.slot(index).connection.as_ref()?;
        self.take(Order::Activity, index);
        self.take(Order::Check, index);
        let free = std::mem::replace(&mut self.free, index);
        let slot = self.slot(index);
        slot.connection = None;
        slot.links[0].next = free;
        Some(slot.mark)
    }

    /// The first entry of an order, with its key.
    pub(crate) fn first(&self, order: Order) -> Option<(u32, u32)> {
        let (&key, list) = self.lists[order as usize].first_key_value()?;
        Some((key, list.head))
    }

    /// The last key of an order, with one of its entries.
    pub(crate) fn last(&self, order: Order) -> Option<(u32, u32)> {
        let (&key, list) = self.lists[order as usize].last_key_value()?;
        Some((key, list.tail))
    }

    pub(crate) fn get(&mut self, index: u32) -> Option<(&Arc<Shared>, &mut Mark)> {
        let slot = self.slot(index);
        Some((slot.connection.as_ref()?, &mut slot.mark))
    }

    /// All connections.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Shared>> {
        #[cfg(test)]
        self.touched.set(self.touched.get() + self.slots.len());
        self.slots
            .iter()
            .filter_map(|slot| slot.connection.as_ref())
    }

    /// Puts an entry under a key, wherever it was before.
    pub(crate) fn put(&mut self, order: Order, index: u32, key: u32) {
        let link = *self.link(order, index);
        if link.linked && link.key == key {
            return;
        }
        self.take(order, index);
        let mut previous = NONE;
        self.lists[order as usize]
            .entry(key)
            .and_modify(|list| previous = std::mem::replace(&mut list.tail, index))
            .or_insert(List {
                head: index,
                tail: index,
            });
        if previous != NONE {
            self.link(order, previous).next = index;
        }
        *self.link(order, index) = Link {
            key,
            previous,
            next: NONE,
            linked: true,
        };
    }

    /// Takes an entry out of one order.
    pub(crate) fn take(&mut self, order: Order, index: u32) {
        let link = *self.link(order, index);
        if !link.linked {
            return;
        }
        if link.previous != NONE {
            self.link(order, link.previous).next = link.next;
        }
        if link.next != NONE {
            self.link(order, link.next).previous = link.previous;
        }
        let lists = &mut self.lists[order as usize];
        if link.previous == NONE && link.next == NONE {
            lists.remove(&link.key);
        } else if let Some(list) = lists.get_mut(&link.key) {
            if link.previous == NONE {
                list.head = link.next;
            }
            if link.next == NONE {
                list.tail = link.previous;
            }
        }
        *self.link(order, index) = UNLINKED;
    }

    fn link(&mut self, order: Order, index: u32) -> &mut Link {
        &mut self.slot(index).links[order as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::admission::Admission;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32, u32),
        Remove(usize),
        Move(bool, usize, u32),
        Unlink(bool, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..6u32, 0..6u32).prop_map(|(a, b)| Step::Insert(a, b)),
            1 => any::<usize>().prop_map(Step::Remove),
            3 => (any::<bool>(), any::<usize>(), 0..6u32).prop_map(|(a, b, c)| Step::Move(a, b, c)),
            1 => (any::<bool>(), any::<usize>()).prop_map(|(a, b)| Step::Unlink(a, b)),
        ]
    }

    fn order(activity: bool) -> Order {
        if activity {
            Order::Activity
        } else {
            Order::Check
        }
    }

    /// Empties an order front to back, for the (key, index) pairs in it.
    fn drain(table: &mut Table, order: Order) -> Vec<(u32, u32)> {
        std::iter::from_fn(|| {
            let (key, index) = table.first(order)?;
            table.take(order, index);
            Some((key, index))
        })
        .collect()
    }

    proptest! {
        /// Against two vectors of (key, index), sorted by key, those of one key as they came.
        #[test]
        fn agrees_with_vectors(steps in proptest::collection::vec(step(), 0..200)) {
            let admission = Admission::builder().build().unwrap();
            let shared = || {
                let core = Arc::clone(admission.core());
                Arc::new(Shared::new(core, 0, None, None, Default::default()))
            };
            let mut table = Table::new();
            let mut model: [Vec<(u32, u32)>; 2] = Default::default();
            let mut open: Vec<u32> = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(activity, check) => {
                        let index = table.insert(shared(), activity, check);
                        prop_assert!(!open.contains(&index));
                        open.push(index);
                        model[0].push((activity, index));
                        model[1].push((check, index));
                    }
                    Step::Remove(which) if !open.is_empty() => {
                        let index = open.swap_remove(which % open.len());
                        table.remove(index);
                        model.iter_mut().for_each(|entries| entries.retain(|entry| entry.1 != index));
                    }
                    Step::Move(activity, which, key) if !open.is_empty() => {
                        let index = open[which % open.len()];
                        table.put(order(activity), index, key);
                        let entries = &mut model[order(activity) as usize];
                        // What is where it belongs keeps its turn.
                        if !entries.contains(&(key, index)) {
                            entries.retain(|entry| entry.1 != index);
                            entries.push((key, index));
                        }
                    }
                    Step::Unlink(activity, which) if !open.is_empty() => {
                        let index = open[which % open.len()];
                        table.take(order(activity), index);
                        model[order(activity) as usize].retain(|entry| entry.1 != index);
                    }
                    _ => {}
                }
                prop_assert_eq!(table.iter().count(), open.len());
            }
            for activity in [true, false] {
                let drained = drain(&mut table, order(activity));
                let mut expected = model[order(activity) as usize].clone();
                expected.sort_by_key(|entry| entry.0);
                prop_assert_eq!(drained, expected);
            }
        }
    }
}
