//! An allocator that knows how many bytes the current thread holds, and how many at most, and how often it allocated.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    // Constant initialisers and no destructor: reaching these cells never allocates.
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<i64> = const { Cell::new(0) };
}

/// Bytes this thread has allocated and not freed.
pub(crate) fn live() -> i64 {
    LIVE.get()
}

/// The most there were since [`restart`].
pub(crate) fn peak() -> i64 {
    PEAK.get()
}

/// How often this thread has allocated, or made an allocation larger or smaller.
pub(crate) fn allocations() -> i64 {
    ALLOCATIONS.get()
}

pub(crate) fn restart() {
    PEAK.set(LIVE.get());
}

struct Counting;

fn allocated(bytes: i64) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    note(bytes);
}

fn note(bytes: i64) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call is passed to `System` unchanged; the bookkeeping beside it neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size() as i64);
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size() as i64);
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        allocated(new_size as i64 - layout.size() as i64);
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        note(-(layout.size() as i64));
        // SAFETY: the caller's promises are handed on as they are.
        unsafe { System.dealloc(ptr, layout) }
    }
}
