//! The one place where the current table is kept.
//!
//! All use of `arc-swap` is in here. Versions before 1.9.5 could return a value of another cell when an address was
//! used again; the workspace asks for that version or newer.

use std::sync::Arc;

/// A cell that holds an `Arc`. Whoever loads never waits.
#[cfg(not(hotswap_loom))]
#[derive(Debug)]
pub(crate) struct Cell<T>(arc_swap::ArcSwap<T>);

#[cfg(not(hotswap_loom))]
impl<T> Cell<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(arc_swap::ArcSwap::new(value))
    }

    #[inline]
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<T>> {
        self.0.load()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        self.0.store(value);
    }
}

/// The model of the cell: loads and stores in one order.
#[cfg(hotswap_loom)]
#[derive(Debug)]
pub(crate) struct Cell<T>(loom::sync::Mutex<Arc<T>>);

#[cfg(hotswap_loom)]
impl<T> Cell<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn load(&self) -> Guard<T> {
        Guard(crate::sync::lock(&self.0).clone())
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        *crate::sync::lock(&self.0) = value;
    }
}

/// Dereferences to an `Arc`, as arc-swap's guard does.
#[cfg(hotswap_loom)]
#[derive(Debug)]
pub(crate) struct Guard<T>(Arc<T>);

#[cfg(hotswap_loom)]
impl<T> std::ops::Deref for Guard<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}
