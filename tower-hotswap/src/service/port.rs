//! Where the threads of one processor reach a store.
//!
//! Servers clone a service for each request. If all clones counted on one `Arc`, the threads would meet there. So a store
//! has one port for each processor, each with a count of its own, and a clone counts on that of its thread. A port also
//! keeps one clone of the current generation's service, to be lent to the next request. Always true:
//!
//! - A clone is kept after it was called, when it has nothing reserved.
//! - No clone of an earlier generation stays in a port. A writer stores the new stamp first and empties the ports
//!   afterwards; whoever keeps a clone puts it there first and looks at the stamp afterwards. So one of the two takes it out.
//! - Ports live as long as a handle, or a service that uses them, does: the handles own all, and the store none.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use crossbeam_utils::CachePadded;

use super::Armed;
use crate::{
    store::Store,
    sync::{Slot, shards, thread_number},
};

/// A store as the threads of one processor see it.
///
/// Threads of other processors read what never changes in it: a connection that moved clones from a service of the port
/// where it began. So neither the slot nor the count of the `Arc` around it shares a line with that.
#[repr(align(128))]
pub(crate) struct Port<T> {
    slot: CachePadded<Slot<Armed<T>>>,
    store: Arc<Store<T>>,
    number: usize,
    /// What is left of a thread's number is the number of its port.
    mask: usize,
}

impl<T> Port<T> {
    /// All ports of a store.
    pub(crate) fn all(store: &Arc<Store<T>>) -> Ports<T> {
        let count = shards();
        let port = |number| {
            Arc::new(Self {
                slot: CachePadded::default(),
                store: store.clone(),
                number,
                mask: count - 1,
            })
        };
        (0..count).map(port).collect()
    }

    /// The port of this thread, or this one if nobody keeps that any more.
    #[inline]
    pub(crate) fn here(self: &Arc<Self>) -> Arc<Self> {
        let number = thread_number() & self.mask;
        if number == self.number {
            self.clone()
        } else {
            self.there(number)
        }
    }

    #[inline(never)]
    fn there(self: &Arc<Self>, number: usize) -> Arc<Self> {
        let port = self.store.ports().get(number).and_then(Weak::upgrade);
        port.unwrap_or_else(|| self.clone())
    }

    #[inline]
    pub(super) fn store(&self) -> &Arc<Store<T>> {
        &self.store
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The clone that is kept, which may be of an earlier generation for a moment.
    #[inline]
    pub(crate) fn take(&self) -> Option<Box<Armed<T>>> {
        self.slot.swap(None)
    }

    /// Keeps a clone that has nothing reserved, unless its generation is an earlier one.
    #[inline]
    pub(crate) fn keep(&self, armed: Box<Armed<T>>) {
        let stamp = armed.stamp;
        let other = self.slot.swap(Some(armed));
        if self.store.stamp() != stamp {
            drop(self.take());
        }
        drop(other);
    }
}

impl<T> fmt::Debug for Port<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// The ports of a store, by their numbers.
pub(crate) type Ports<T> = Box<[Arc<Port<T>>]>;
