//! Exemplars: of each bucket of a route's histogram the last request whose trace is kept, so that a dashboard leads from
//! a slow percentile to a request that was slow.

use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A request that stands for those of its bucket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exemplar {
    /// The id of its trace.
    pub(crate) trace: u128,
    pub(crate) seconds: f64,
    /// Seconds since 1970.
    pub(crate) when: f64,
}

/// The exemplars of a histogram, by bucket. Empty until there is one.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Mutex<Vec<Option<Exemplar>>>);

impl Exemplars {
    /// Puts a request in the place of an earlier one. Where somebody else does the same, that one stands as well.
    pub(super) fn note(&self, bucket: usize, trace: u128, elapsed: Duration) {
        let mut kept = match self.0.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(kept)) => kept.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if kept.len() <= bucket {
            kept.resize(bucket + 1, None);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        kept[bucket] = Some(Exemplar {
            trace,
            seconds: elapsed.as_secs_f64(),
            when: since.unwrap_or_default().as_secs_f64(),
        });
    }

    pub(super) fn all(&self) -> Vec<Option<Exemplar>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
