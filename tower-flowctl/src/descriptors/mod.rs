//! The process's descriptors: how many are left, who has them, and what to do before they are gone.
//!
//! A server that meets `EMFILE` in accept(2) can neither serve nor refuse: the connection stays in the kernel's queue, the
//! socket stays readable, and the loop either spins or, as axum's does, sleeps for a second. This guard acts before.
//!
//! ```text
//!   0                                low  high            critical    limit
//!   ├─────────────── connections ─────┼────┼─────────────────┼── headroom ─┤
//!                                     │    │ reclaim slowly  │ fast        └ for files, upstreams, pools
//!                                     └────┘ hysteresis
//! ```
//!
//! - **Use** is sampled every half second with one `stat("/proc/self/fd")`, whose size is the number of open descriptors
//!   on Linux 6.2 and later (a directory walk elsewhere). Between two samples the admitted connections are added up, so a burst is
//!   seen at once.
//! - **Thresholds** have hysteresis: pressure is [`High`](Pressure::High) after use was over 0.85 for 5 s, and ends under
//!   0.80. Over 0.95, or at an `EMFILE`, it is [`Critical`](Pressure::Critical) at once. What follows is in
//!   [`reclaim`](crate::reclaim).
//! - **Headroom**: connections never take the last descriptors, which the application needs to answer the ones that are in.
//! - **Spares**: a few descriptors are held open on `/dev/null`. If accept(2) fails after all, one is given up to take the
//!   connection, refuse it, and get the spare back. Where the whole system has none (`ENFILE`), listeners wait instead.
//! - **Places**: the kernel's table of descriptors is made as long as it has to be when the server starts
//!   ([`DescriptorGuard::places`]). To lengthen it makes accept(2) sleep for 5 to 30 ms in a process with threads, and that in the
//!   middle of a burst.
//! - **Leaks**: descriptors that are no connection of ours and that nobody has
//!   [accounted](DescriptorGuard::account) for, and that grow in two windows without having fallen in between, are
//!   reported with what they are ([`LeakReport`]). Only then is `/proc/self/fd` walked.

mod guard;
mod inventory;
mod leak;
mod level;
mod places;
mod spare;
mod usage;

pub use guard::{DescriptorGuard, ThresholdError};
pub use leak::{LeakKind, LeakReport};
pub use level::Pressure;

pub(crate) use guard::{Descriptors, Headroom};
pub(crate) use inventory::Inventory;
pub(crate) use usage::Short;
