//! How to run: threads, and the time to finish.

use super::Setting;

pub(crate) const RUN_MODE: Setting = Setting::fixed(
    "run-mode",
    "multi-thread|thread-per-core",
    "multi-thread",
    "One runtime that shares its work among threads,\nor one pinned runtime a core with its own listening socket",
);

pub(crate) const THREADS: Setting = Setting::fixed(
    "threads",
    "COUNT",
    "0",
    "Threads that serve requests; 0 is one a core",
);

pub(crate) const DRAIN_TIMEOUT: Setting = Setting::fixed(
    "drain-timeout",
    "DURATION",
    "10s",
    "After SIGINT or SIGTERM, for requests in flight to finish",
);
