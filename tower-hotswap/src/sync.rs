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
#[cfg(not(hotswap_loom))]
mod numbers;
mod slot;

#[cfg(hotswap_loom)]
pub(crate) use counted::{Counted, Uncounted};
#[cfg(not(hotswap_loom))]
pub(crate) use numbers::thread_number;
pub(crate) use slot::Slot;

/// Locks a mutex, ignoring poison: every critical section leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
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
