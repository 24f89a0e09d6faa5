//! An item that is out, with the lease to bring it home by.
//!
//! Invariant: both fields are whole until `drop`, which takes them and is the end of the value.

use std::{
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
};

use super::shared::Lease;

/// Where an item goes when its holder drops it.
pub(crate) trait Home<T>: Sized {
    fn take_back(lease: Lease<T, Self>, item: T);
}

/// Two words, so that acquiring moves little: dropping takes both without marking them as taken.
pub(crate) struct Held<T, X: Home<T>> {
    item: ManuallyDrop<T>,
    lease: ManuallyDrop<Lease<T, X>>,
}

impl<T, X: Home<T>> Held<T, X> {
    #[inline(always)]
    pub(crate) fn new(lease: Lease<T, X>, item: T) -> Self {
        Self {
            item: ManuallyDrop::new(item),
            lease: ManuallyDrop::new(lease),
        }
    }

    #[inline(always)]
    pub(crate) fn lease(&self) -> &Lease<T, X> {
        &self.lease
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
        // SAFETY: the fields are whole (invariant) and not touched again: the value ends here, and
        // `ManuallyDrop` keeps them from being dropped after this.
        let (lease, item) = unsafe {
            (
                ManuallyDrop::take(&mut self.lease),
                ManuallyDrop::take(&mut self.item),
            )
        };
        X::take_back(lease, item);
    }
}
