//! A pair of memory barriers of which the frequent one is free.
//!
//! [`light`] and [`heavy`] order stores before later loads as two sequentially consistent fences would:
//! of one thread that stores `a`, calls `light` and loads `b`, and another that stores `b`, calls `heavy`
//! and loads `a`, at least one sees the other's store. On Linux `heavy` has the kernel run a full barrier
//! on every running thread of the process (membarrier(2), `MEMBARRIER_CMD_PRIVATE_EXPEDITED`), so that
//! `light` need only keep the compiler from reordering. Where the kernel does not offer it, and on other
//! systems, both are fences.

#[cfg(not(pool_loom))]
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

/// Whether `light` may rely on the kernel. Decided before the first pool exists.
#[cfg(not(pool_loom))]
static ASYMMETRIC: AtomicBool = AtomicBool::new(false);

/// Asks the kernel. Called by whoever builds a pool, so before any call of [`light`] or [`heavy`] on it.
#[cfg(not(pool_loom))]
pub(crate) fn prepare() {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{MembarrierCommand, membarrier};
        static ASKED: std::sync::Once = std::sync::Once::new();
        ASKED.call_once(|| {
            let granted = membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
                && membarrier(MembarrierCommand::PrivateExpedited).is_ok();
            ASYMMETRIC.store(granted, Ordering::SeqCst);
        });
    }
}

/// The frequent side.
#[cfg(not(pool_loom))]
#[inline(always)]
pub(crate) fn light() {
    if ASYMMETRIC.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The rare side: microseconds.
///
/// # Panics
/// When the kernel granted membarrier(2) before and refuses it now, which only a sandbox that was put
/// on meanwhile does.
#[cfg(not(pool_loom))]
pub(crate) fn heavy() {
    fence(Ordering::SeqCst);
    #[cfg(target_os = "linux")]
    if ASYMMETRIC.load(Ordering::Relaxed) {
        use rustix::thread::{MembarrierCommand, membarrier};
        if let Err(error) = membarrier(MembarrierCommand::PrivateExpedited) {
            panic!("membarrier(2) was granted before and is refused now: {error}");
        }
    }
}

// The model has no kernel: both sides are fences.
#[cfg(pool_loom)]
pub(crate) fn prepare() {}

#[cfg(pool_loom)]
pub(crate) fn light() {
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
}

#[cfg(pool_loom)]
pub(crate) fn heavy() {
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
}
