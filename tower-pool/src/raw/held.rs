//! An item that is out, with the lease to bring it home by.
//!
//! It is two words, so that acquiring moves little, and it knows its class without looking at the item,
//! whose particulars may be in another core's cache. For that the class is kept in the low bits of the
//! pointer to the depot, which its alignment leaves free.
//!
//! Invariant: `depot` is the pointer of one lease with [`CLASSES`] or a smaller number in its low bits, and
//! `item` is whole, until `drop`, which takes both and is the end of the value.

use std::{
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::shared::Lease;
use crate::depot::Depot;

/// The most size classes: their numbers fit below the alignment of a depot, and one stands for none.
pub(crate) const CLASSES: usize = align_of::<Depot<(), ()>>() - 1;

/// Where an item goes when its holder drops it.
pub(crate) trait Home<T>: Sized {
    fn take_back(lease: Lease<T, Self>, class: Option<usize>, item: T);
}

pub(crate) struct Held<T, X: Home<T>> {
    item: ManuallyDrop<T>,
    depot: *mut Depot<T, X>,
}

// SAFETY: it is an item and a lease, both of which may be sent.
unsafe impl<T: Send, X: Home<T> + Send + Sync> Send for Held<T, X> {}
// SAFETY: shared, it gives `&T` and `&Depot`.
unsafe impl<T: Send + Sync, X: Home<T> + Send + Sync> Sync for Held<T, X> {}

/// The low bits for `class`.
#[inline(always)]
fn tag(class: Option<usize>) -> usize {
    class.unwrap_or(CLASSES) & CLASSES
}

#[inline(always)]
fn with_tag<P>(pointer: *mut P, tag: usize) -> *mut P {
    pointer.map_addr(|address| (address & !CLASSES) | tag)
}

impl<T, X: Home<T>> Held<T, X> {
    #[inline(always)]
    pub(crate) fn new(lease: Lease<T, X>, class: Option<usize>, item: T) -> Self {
        Self {
            item: ManuallyDrop::new(item),
            depot: with_tag(lease.into_raw().as_ptr(), tag(class)),
        }
    }

    #[inline(always)]
    pub(crate) fn depot(&self) -> &Depot<T, X> {
        // SAFETY: without its tag it is the pointer of a lease (invariant), which keeps the depot alive.
        unsafe { &*with_tag(self.depot, 0) }
    }

    /// Exchanges the item for one of another class; the lease stays. Returns the old ones.
    pub(crate) fn replace(&mut self, class: Option<usize>, item: T) -> (Option<usize>, T) {
        let old = self.class();
        self.depot = with_tag(self.depot, tag(class));
        (old, std::mem::replace(&mut *self.item, item))
    }

    #[inline(always)]
    fn class(&self) -> Option<usize> {
        let tag = self.depot.addr() & CLASSES;
        (tag != CLASSES).then_some(tag)
    }
}

impl<T, X: Home<T>> Deref for Held<T, X> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T, X: Home<T>> DerefMut for Held<T, X> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T, X: Home<T>> Drop for Held<T, X> {
    #[inline(always)]
    fn drop(&mut self) {
        let class = self.class();
        // SAFETY: the pointer without its tag came from a lease, so it is not null; it and the item are taken once: the
        // value ends here, and neither has a drop of its own.
        let (lease, item) = unsafe {
            (
                Lease::from_raw(NonNull::new_unchecked(with_tag(self.depot, 0))),
                ManuallyDrop::take(&mut self.item),
            )
        };
        X::take_back(lease, class, item);
    }
}
