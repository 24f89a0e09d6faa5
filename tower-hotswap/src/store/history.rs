//! The snapshots that can be rolled back to.

use std::{collections::VecDeque, sync::Arc};

use crate::{Selector, Snapshot, SnapshotId, SwapError};

/// A bounded list in the order of use, the least recently used first. Publishing, rolling back to a snapshot and
/// making it a canary are uses. Snapshots in service, and the one that was just staged, are never evicted, even if that
/// exceeds the bound.
#[derive(Debug)]
pub(crate) struct History<T> {
    snapshots: VecDeque<Arc<Snapshot<T>>>,
    capacity: usize,
}

impl<T> History<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            snapshots: VecDeque::new(),
            capacity,
        }
    }

    /// Puts a snapshot in as the most recently used.
    pub(crate) fn insert(&mut self, snapshot: Arc<Snapshot<T>>) {
        self.snapshots.push_back(snapshot);
    }

    /// Returns what has to go for the bound.
    pub(crate) fn evict(
        &mut self,
        is_needed: impl Fn(SnapshotId) -> bool,
    ) -> Vec<Arc<Snapshot<T>>> {
        let mut evicted = Vec::new();
        while self.snapshots.len() > self.capacity {
            let idle = |kept: &Arc<Snapshot<T>>| !is_needed(kept.id);
            let Some(oldest) = self.snapshots.iter().position(idle) else {
                break;
            };
            evicted.extend(self.snapshots.remove(oldest));
        }
        evicted
    }

    /// Marks a snapshot as used.
    pub(crate) fn used(&mut self, id: SnapshotId) {
        if let Some(index) = self.snapshots.iter().position(|kept| kept.id == id) {
            let snapshot = self.snapshots.remove(index);
            self.snapshots.extend(snapshot);
        }
    }

    /// The snapshot that is meant. Of several publications of one version it is the newest.
    pub(crate) fn find(&self, selector: &Selector) -> Result<Arc<Snapshot<T>>, SwapError> {
        let matches = || self.snapshots.iter().filter(|kept| selector.matches(kept));
        let Some(newest) = matches().max_by_key(|kept| kept.id) else {
            return Err(SwapError::Unknown {
                selector: selector.clone(),
            });
        };
        if matches().any(|kept| kept.version != newest.version) {
            return Err(SwapError::Ambiguous {
                selector: selector.clone(),
                matches: matches().count(),
            });
        }
        Ok(newest.clone())
    }

    /// All, the most recently used first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Snapshot<T>>> {
        self.snapshots.iter().rev()
    }
}
