//! An allocator that counts, while it is asked to, what the current thread asks of the system's.
//!
//! While nobody counts it costs one comparison a call, so that neither times
//! nor instruction counts of routers that allocate are raised by the counting.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many callers are counting at the moment; only their own threads' figures matter to them.
static COUNTERS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Constant initialisers and no destructor: reaching these cells never allocates.
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// Runs `work` and returns its result with the allocations it made on this thread.
///
/// A reallocation counts as one; deallocations are not counted.
pub fn count<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let before = CALLS.get();
    let result = counting(work);
    (result, CALLS.get() - before)
}

/// Runs `work` and returns its result with the heap bytes this thread holds more than before.
pub fn retained<R>(work: impl FnOnce() -> R) -> (R, i64) {
    let before = LIVE.get();
    let result = counting(work);
    (result, LIVE.get() - before)
}

fn counting<R>(work: impl FnOnce() -> R) -> R {
    COUNTERS.fetch_add(1, Relaxed);
    let result = work();
    COUNTERS.fetch_sub(1, Relaxed);
    result
}

struct Counting;

#[inline]
fn note(calls: u64, bytes: i64) {
    if COUNTERS.load(Relaxed) != 0 {
        record(calls, bytes);
    }
}

#[cold]
#[inline(never)]
fn record(calls: u64, bytes: i64) {
    CALLS.set(CALLS.get() + calls);
    LIVE.set(LIVE.get() + bytes);
}

// SAFETY: every call is passed to `System` unchanged; the bookkeeping beside it neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(1, new_size as i64 - layout.size() as i64);
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        note(0, -(layout.size() as i64));
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.dealloc(ptr, layout) }
    }
}
