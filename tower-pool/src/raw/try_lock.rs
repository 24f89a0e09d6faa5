//! A lock that is tried, not waited for.
//!
//! One atomic exchange to take it, one plain store to let go: half of what a compare-and-swap free
//! list pays for a pop and a push. Who finds it taken goes elsewhere (another lane). Only rare
//! whole-pool operations (closing, counting, waiting) use [`TryLock::lock`], which spins for the few
//! dozen instructions that a holder needs: no holder allocates blocks, wakes tasks or runs foreign code.
//!
//! Invariant: `held` is true exactly while one [`TryGuard`] exists, and the value is reached through
//! guards alone.

use std::ops::{Deref, DerefMut};

use crate::sync::{AtomicBool, Ordering, UnsafeCell, spin_loop, yield_now};

pub(crate) struct TryLock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time (the invariant above), so sharing the lock
// between threads only ever moves access to `T` between them, which `T: Send` allows.
unsafe impl<T: Send> Sync for TryLock<T> {}
// SAFETY: the lock owns its value; moving it moves the value.
unsafe impl<T: Send> Send for TryLock<T> {}

impl<T> TryLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            held: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// The guard, or `None` when another holds it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<TryGuard<'_, T>> {
        // The acquire exchange that succeeds reads the release store of the previous holder's drop,
        // so everything that holder did happens before what this one does.
        match self
            .held
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => Some(TryGuard(self)),
            Err(_) => None,
        }
    }

    /// The guard, spinning until it is free.
    pub(crate) fn lock(&self) -> TryGuard<'_, T> {
        let mut spins = 0u32;
        loop {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            spins += 1;
            if cfg!(pool_loom) || spins.is_multiple_of(64) {
                yield_now();
            } else {
                spin_loop();
            }
        }
    }
}

pub(crate) struct TryGuard<'a, T>(&'a TryLock<T>);

impl<T> Deref for TryGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one (invariant), and the reference borrows the guard.
        self.0.value.get_mut().with(|pointer| unsafe { &*pointer })
    }
}

impl<T> DerefMut for TryGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one (invariant), and the reference borrows it mutably.
        self.0
            .value
            .get_mut()
            .with(|pointer| unsafe { &mut *pointer })
    }
}

impl<T> Drop for TryGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.held.store(false, Ordering::Release);
    }
}
