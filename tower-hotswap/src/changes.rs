//! The snapshots that become current, one after the other.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use crate::{Snapshot, SnapshotId, store::Store};

/// A stream of the snapshots that become current. One that is slow sees the newest, and not those between.
#[derive(Debug)]
pub struct Changes<T> {
    store: Weak<Store<T>>,
    tables: watch::Receiver<u64>,
    seen: SnapshotId,
}

impl<T> Changes<T> {
    pub(crate) fn new(store: &Arc<Store<T>>) -> Self {
        // The order matters: a change in between is then seen, and compared with `seen`.
        let tables = store.changes();
        Self {
            store: Arc::downgrade(store),
            tables,
            seen: store.table().primary.snapshot().id,
        }
    }

    /// Waits for another snapshot to be current than the one seen last. `None` when all handles and services are gone.
    ///
    /// # Cancellation
    /// Nothing is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Arc<Snapshot<T>>> {
        loop {
            self.tables.changed().await.ok()?;
            let snapshot = self.store.upgrade()?.table().primary.snapshot().clone();
            if snapshot.id != self.seen {
                self.seen = snapshot.id;
                return Some(snapshot);
            }
        }
    }
}
