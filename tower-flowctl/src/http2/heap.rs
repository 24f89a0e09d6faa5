//! A heap whose members can be taken out from the middle.
//!
//! Members are slots, small numbers. Where each one is stands in a table that all heaps of a connection share, since a
//! slot is in one heap at a time. Insertion and removal take O(log n), looking at the first O(1), and nothing is allocated
//! once the heap has grown.

/// Smallest key first; equal keys by smaller slot.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    members: Vec<(u64, u32)>,
}

/// Where each slot is in its heap.
#[derive(Debug, Default)]
pub(crate) struct Positions(Vec<u32>);

impl Positions {
    /// Makes room for slots up to this one.
    pub(crate) fn reserve(&mut self, slot: u32) {
        if self.0.len() <= slot as usize {
            self.0.resize(slot as usize + 1, 0);
        }
    }
}

impl Heap {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn first(&self) -> Option<u32> {
        self.members.first().map(|&(_, slot)| slot)
    }

    /// Adds a slot, which must be in no heap with this table.
    pub(crate) fn push(&mut self, positions: &mut Positions, key: u64, slot: u32) {
        self.members.push((key, slot));
        self.rise(positions, self.members.len() - 1);
    }

    /// Takes a slot out, which must be in this heap.
    pub(crate) fn remove(&mut self, positions: &mut Positions, slot: u32) {
        let at = positions.0[slot as usize] as usize;
        debug_assert_eq!(self.members[at].1, slot);
        self.members.swap_remove(at);
        if at < self.members.len() {
            let at = self.rise(positions, at);
            self.sink(positions, at);
        }
    }

    fn rise(&mut self, positions: &mut Positions, mut at: usize) -> usize {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.members[parent] <= self.members[at] {
                break;
            }
            self.members.swap(parent, at);
            positions.0[self.members[at].1 as usize] = at as u32;
            at = parent;
        }
        positions.0[self.members[at].1 as usize] = at as u32;
        at
    }

    fn sink(&mut self, positions: &mut Positions, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.members.len() && self.members[child] < self.members[least] {
                    least = child;
                }
            }
            positions.0[self.members[at].1 as usize] = least as u32;
            if least == at {
                return;
            }
            self.members.swap(least, at);
            positions.0[self.members[at].1 as usize] = at as u32;
            at = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_an_ordered_set(steps in prop::collection::vec((0u32..24, 0u64..8), 0..200)) {
            let mut heap = Heap::default();
            let mut positions = Positions::default();
            let mut keys = [None; 24];
            let mut model = BTreeSet::new();
            for (slot, key) in steps {
                positions.reserve(slot);
                match keys[slot as usize].take() {
                    Some(old) => {
                        heap.remove(&mut positions, slot);
                        model.remove(&(old, slot));
                    }
                    None => {
                        heap.push(&mut positions, key, slot);
                        model.insert((key, slot));
                        keys[slot as usize] = Some(key);
                    }
                }
                prop_assert_eq!(heap.first(), model.first().map(|&(_, slot)| slot));
            }
        }
    }
}
