//! The synchronisation primitives, or loom's models of them under `--cfg zerocopy_loom`.

#[cfg(zerocopy_loom)]
pub(super) use loom::sync::{
    Mutex, RwLock,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
#[cfg(not(zerocopy_loom))]
pub(super) use std::sync::{
    Mutex, RwLock,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
