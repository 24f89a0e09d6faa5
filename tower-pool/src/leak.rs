//! Leak tracking: where each thing that is out was acquired.

use std::{collections::HashMap, panic::Location, sync::Mutex};

use tokio::time::Instant;

use crate::error::Leak;

/// Whether a pool remembers where each acquisition happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeakTracking {
    /// Remember nothing: no cost.
    #[default]
    Off,
    /// Remember the caller's source location and the time: one lock of a map at each end.
    On,
}

/// The acquisitions that have not come home.
#[derive(Debug, Default)]
pub(crate) struct Tracker(Mutex<Tracked>);

#[derive(Debug, Default)]
struct Tracked {
    next: u64,
    out: HashMap<u64, (&'static Location<'static>, Instant)>,
}

impl Tracker {
    /// Notes an acquisition. Tickets start at 1: 0 stands for an untracked thing.
    pub(crate) fn note(&self, location: &'static Location<'static>) -> u64 {
        let mut tracked = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        tracked.next += 1;
        let ticket = tracked.next;
        tracked.out.insert(ticket, (location, Instant::now()));
        ticket
    }

    pub(crate) fn forget(&self, ticket: u64) {
        let mut tracked = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        tracked.out.remove(&ticket);
    }

    /// Everything out, the oldest first.
    pub(crate) fn leaks(&self) -> Vec<Leak> {
        let tracked = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut out: Vec<_> = tracked.out.iter().collect();
        out.sort_unstable_by_key(|(ticket, _)| **ticket);
        out.into_iter()
            .map(|(_, (location, since))| Leak {
                location,
                age: since.elapsed(),
            })
            .collect()
    }
}
