//! Counters that a service and its listeners keep when they are given some.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters of what a service and its connections did.
        ///
        /// Share one by [`ServeFiles::metrics`](crate::ServeFiles::metrics) and
        /// `ZeroCopyListener::metrics` (feature `axum`), read it by [`Metrics::snapshot`]. Each
        /// event is one relaxed atomic addition; a service that was given none does nothing at all.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($name: AtomicU64,)+
        }

        /// The values of [`Metrics`] at one moment, each counted since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Snapshot {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        /// One counter of [`Metrics`].
        #[derive(Clone, Copy, Debug)]
        #[allow(non_camel_case_types)]
        pub(crate) enum Counter {
            $($name,)+
        }

        impl Metrics {
            /// Reads all counters. They are read one after the other, not at one instant.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }

            pub(crate) fn add(&self, counter: Counter, n: u64) {
                let cell = match counter {
                    $(Counter::$name => &self.$name,)+
                };
                cell.fetch_add(n, Ordering::Relaxed);
            }
        }
    };
}

counters! {
    /// Body bytes handed out from the heap cache.
    heap_bytes,
    /// Body bytes handed out from sealed memory files.
    sealed_bytes,
    /// Body bytes handed out as windows, to be sent by `sendfile(2)`.
    window_bytes,
    /// Body bytes read into buffers.
    read_bytes,
    /// Requests answered from the open-file cache.
    cache_hits,
    /// Requests whose name had to be looked up.
    cache_misses,
    /// Requests that looked again at an entry past its period.
    cache_revalidations,
    /// Reads and windows that found the page cache cold and went to the blocking pool.
    cold_fills,
    /// Responses for which windows were proven sound.
    windows_proven,
    /// Responses for which windows were refused: no adapter below, or somebody read the first chunk.
    windows_refused,
    /// Responses that failed because a layer read a window. More than 0 means that windows are off.
    windows_violated,
    /// Calls of `sendfile(2)` on connections.
    sendfile_calls,
    /// Bytes sent by `sendfile(2)`.
    sendfile_bytes,
    /// Bytes sent by ordinary writes.
    written_bytes,
    /// Times a connection, or a body that was read from memory, gave way to others.
    yields,
}
