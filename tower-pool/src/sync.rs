//! The synchronisation primitives, or loom's models of them under `--cfg pool_loom`.

#[cfg(pool_loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicIsize, AtomicU32, AtomicUsize, Ordering},
    },
    thread::yield_now,
};
#[cfg(not(pool_loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicIsize, AtomicU32, AtomicUsize, Ordering},
    },
    thread::yield_now,
};

/// Locks a mutex, ignoring poison: every critical section leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> impl std::ops::DerefMut<Target = T> + '_ {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A cell whose accesses loom checks.
#[cfg(pool_loom)]
pub(crate) use loom::cell::UnsafeCell;

#[cfg(not(pool_loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(pool_loom))]
impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn get_mut(&self) -> MutPtr<T> {
        MutPtr(self.0.get())
    }
}

/// A raw pointer that loom's `MutPtr` stands in for.
#[cfg(not(pool_loom))]
#[derive(Debug)]
pub(crate) struct MutPtr<T>(*mut T);

#[cfg(not(pool_loom))]
impl<T> MutPtr<T> {
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0)
    }
}

/// A number that spreads threads over lanes: threads are counted in the order of their first use.
#[cfg(not(pool_loom))]
#[inline]
pub(crate) fn thread_number() -> usize {
    use std::cell::Cell;
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
    #[cold]
    fn assign(cell: &Cell<usize>) -> usize {
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        cell.set(number);
        number
    }
    // A thread that is already tearing down its locals uses lane 0, which is as correct as any other.
    NUMBER
        .try_with(|cell| match cell.get() {
            0 => assign(cell),
            number => number,
        })
        .unwrap_or(0)
}

/// Under the model every thread prefers the first lane, so that they meet there.
#[cfg(pool_loom)]
pub(crate) fn thread_number() -> usize {
    0
}
