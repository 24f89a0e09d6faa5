//! The table of live pieces of memory, by address.
//!
//! Always true: a slot is there from before its memory is first shared until before it is freed, and so no two slots
//! overlap, however often an address is used again. Looking up costs a read lock and a walk down a tree of as many
//! entries as there are cached files and windows under way; short slices ask one counter while there is no window.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use super::sync::{AtomicUsize, Ordering, RwLock};

/// Whether the memory of a slot has the content in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// It has: short slices may be written as they are, and are not found.
    There,
    /// It has not: every slice must be found, whatever is left of it.
    Elsewhere,
}

#[derive(Debug)]
struct Slot<T> {
    len: usize,
    content: Content,
    value: Arc<T>,
}

/// The slots and their values.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: RwLock<BTreeMap<usize, Slot<T>>>,
    /// Slots whose content is elsewhere.
    windows: AtomicUsize,
}

impl<T> Slots<T> {
    #[cfg(not(zerocopy_loom))]
    pub(crate) const fn new() -> Self {
        Self {
            slots: RwLock::new(BTreeMap::new()),
            windows: AtomicUsize::new(0),
        }
    }

    #[cfg(zerocopy_loom)]
    pub(crate) fn new() -> Self {
        Self {
            slots: RwLock::new(BTreeMap::new()),
            windows: AtomicUsize::new(0),
        }
    }

    /// Enters `len` bytes at `start`, before anybody else is given a slice of them.
    pub(crate) fn insert(&self, start: usize, len: usize, content: Content, value: Arc<T>) {
        if content == Content::Elsewhere {
            self.windows.fetch_add(1, Ordering::Release);
        }
        let slot = Slot {
            len,
            content,
            value,
        };
        self.slots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(start, slot);
    }

    /// Takes the slot at `start` out, after all slices of it are gone and before its memory is freed.
    pub(crate) fn remove(&self, start: usize) {
        let removed = self
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&start);
        // Outside of the lock: dropping the value may close a file.
        if let Some(slot) = removed
            && slot.content == Content::Elsewhere
        {
            self.windows.fetch_sub(1, Ordering::Release);
        }
    }

    /// The value of the slot that holds all of the `len` bytes at `address`, of which the caller holds a slice. Fewer
    /// than `short` bytes are found only where the content is elsewhere.
    pub(crate) fn find(&self, address: usize, len: usize, short: usize) -> Option<Arc<T>> {
        let is_short = len < short;
        // A slice of a window that this thread holds was counted before it came here.
        if len == 0 || (is_short && self.windows.load(Ordering::Acquire) == 0) {
            return None;
        }
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let (start, slot) = slots.range(..=address).next_back()?;
        let inside = address.checked_add(len)? <= start + slot.len;
        let wanted = !is_short || slot.content == Content::Elsewhere;
        (inside && wanted).then(|| Arc::clone(&slot.value))
    }
}
