//! From streams' numbers to their slots.
//!
//! Clients number their streams in turn. So those open at a time mostly differ in the lower bits, which are their place in a
//! table. A stream whose place another one has, as one that stays open for long may, is in a map.

use super::super::ids::IdMap;

/// Places to begin with, and at most: as many as two for each stream there may be.
const FEWEST: usize = 16;
const MOST: usize = 2 * super::MAX_STREAMS;

/// The number of no stream.
const NOBODY: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Index {
    /// A stream and its slot. A power of two of them, or none at all.
    places: Vec<(u32, u32)>,
    placed: usize,
    others: IdMap<u32>,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.placed + self.others.len()
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<u32> {
        match self.places.get(self.place(id)) {
            Some(&(held, slot)) if held == id => Some(slot),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&id).copied(),
        }
    }

    /// Puts in a stream that is not there.
    pub(super) fn insert(&mut self, id: u32, slot: u32) {
        debug_assert_eq!(self.get(id), None);
        if 2 * self.len() >= self.places.len() && self.places.len() < MOST {
            self.grow();
        }
        self.put(id, slot);
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<u32> {
        let place = self.place(id);
        match self.places.get_mut(place) {
            Some((held, slot)) if *held == id => {
                *held = NOBODY;
                self.placed -= 1;
                Some(*slot)
            }
            _ => self.others.remove(&id),
        }
    }

    fn put(&mut self, id: u32, slot: u32) {
        let place = self.place(id);
        match self.places.get_mut(place) {
            Some(free) if free.0 == NOBODY => {
                *free = (id, slot);
                self.placed += 1;
            }
            _ => {
                self.others.insert(id, slot);
            }
        }
    }

    fn grow(&mut self) {
        let places = vec![(NOBODY, 0); FEWEST.max(2 * self.places.len())];
        let placed = std::mem::replace(&mut self.places, places);
        let others = std::mem::take(&mut self.others);
        self.placed = 0;
        for (id, slot) in placed.into_iter().chain(others) {
            if id != NOBODY {
                self.put(id, slot);
            }
        }
    }

    /// Clients' streams have odd numbers.
    fn place(&self, id: u32) -> usize {
        (id >> 1) as usize & self.places.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((any::<bool>(), 0u32..40, 0u32..6), 1..400)) {
            let mut index = Index::default();
            let mut map = BTreeMap::new();
            for (number, (inserts, low, high)) in steps.into_iter().enumerate() {
                // Many that want the same place, whatever the table's size.
                let id = low << 1 | 1 | high << 20;
                if inserts && !map.contains_key(&id) {
                    index.insert(id, number as u32);
                    map.insert(id, number as u32);
                } else if !inserts {
                    prop_assert_eq!(index.remove(id), map.remove(&id));
                }
                prop_assert_eq!(index.len(), map.len());
                prop_assert_eq!(index.get(id), map.get(&id).copied());
            }
            for (id, slot) in map {
                prop_assert_eq!(index.get(id), Some(slot));
            }
        }
    }
}
