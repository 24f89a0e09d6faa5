//! The synchronisation primitives, or loom's models of them under `--cfg hotswap_loom`.

#[cfg(hotswap_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
#[cfg(not(hotswap_loom))]
pub(crate) use std::sync::{
    Arc as Counted, Mutex, MutexGuard, Weak as Uncounted,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

#[cfg(hotswap_loom)]
mod counted;
mod slot;

#[cfg(hotswap_loom)]
pub(crate) use counted::{Counted, Uncounted};
pub(crate) use slot::Slot;

/// Locks a mutex, ignoring poison: every critical section leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A number that spreads threads over shards: threads are counted in the order of their first use.
#[cfg(not(hotswap_loom))]
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
    NUMBER.with(|cell| match cell.get() {
        0 => assign(cell),
        number => number,
    })
}

/// Under the model every thread uses the first shard, so that they meet there.
#[cfg(hotswap_loom)]
pub(crate) fn thread_number() -> usize {
    0
}

/// How many shards a generation's count has: one for each processor, rounded up to a power of two.
#[cfg(not(hotswap_loom))]
pub(crate) fn shards() -> usize {
    static SHARDS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *SHARDS.get_or_init(|| {
        std::thread::available_parallelism()
            .map_or(1, usize::from)
            .next_power_of_two()
            .min(64)
    })
}

/// Two under the model: the one that is used, and one that ends by itself.
#[cfg(hotswap_loom)]
pub(crate) fn shards() -> usize {
    2
}
