//! How many requests, and how long they took, by route.
//!
//! A histogram is a row of counters with four to an octave, from 16 µs to 16 s: one addition a request, no
//! memory that grows between scrapes, and enough for percentiles that are right within a fifth.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

use super::abort::Abort;
use super::exemplars::{Exemplar, Exemplars};

/// Counters of a histogram: below 16 µs, then 20 octaves of four, then all above.
pub(crate) const BUCKETS: usize = 82;

/// What requests without a route are counted under.
const UNMATCHED: &str = "unmatched";

/// The bucket of a duration.
fn bucket(elapsed: Duration) -> usize {
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    if micros < 16 {
        return 0;
    }
    let octave = 63 - micros.leading_zeros() as usize;
    let quarter = (micros >> (octave - 2) & 3) as usize;
    (1 + (octave - 4) * 4 + quarter).min(BUCKETS - 1)
}

/// The duration in seconds that no request of a bucket reached.
pub(crate) fn upper_bound(bucket: usize) -> f64 {
    let micros = match bucket {
        0 => 16.0,
        _ if bucket == BUCKETS - 1 => return f64::INFINITY,
        _ => {
            let (octave, quarter) = ((bucket - 1) / 4, (bucket - 1) % 4);
            f64::from(1_u32 << (octave + 4)) * (5 + quarter) as f64 / 4.0
        }
    };
    micros / 1e6
}

/// The octave of a bucket, by which the histogram is published; each ends with the bucket that has its bound.
pub(crate) fn octave(bucket: usize) -> usize {
    bucket.div_ceil(4)
}

/// The requests of one route.
#[derive(Debug)]
pub(crate) struct RouteTraffic {
    pattern: String,
    durations: [AtomicU64; BUCKETS],
    micros: AtomicU64,
    /// By the first digit of the status, from 1xx on.
    statuses: [AtomicU64; 5],
    /// By [`Abort`].
    aborts: [AtomicU64; Abort::ALL.len()],
    /// By octave.
    exemplars: Exemplars,
}

impl RouteTraffic {
    fn new(pattern: &str) -> Self {
        RouteTraffic {
            pattern: pattern.to_owned(),
            durations: [const { AtomicU64::new(0) }; BUCKETS],
            micros: AtomicU64::new(0),
            statuses: [const { AtomicU64::new(0) }; 5],
            aborts: [const { AtomicU64::new(0) }; Abort::ALL.len()],
            exemplars: Exemplars::default(),
        }
    }

    /// The route's pattern; [`UNMATCHED`] for requests without a route.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(super) fn record(&self, status: StatusCode, elapsed: Duration) {
        self.durations[bucket(elapsed)].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.statuses[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Records that a request was not answered, or not wholly; then it was recorded as one that was, too.
    pub(super) fn record_abort(&self, abort: Abort) {
        self.aborts[abort as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a request that was recorded, and whose trace is kept.
    pub(super) fn note(&self, trace: u128, elapsed: Duration) {
        self.exemplars.note(octave(bucket(elapsed)), trace, elapsed);
    }

    fn counts(&self) -> Counts {
        Counts {
            durations: self
                .durations
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed)),
            seconds: self.micros.load(Ordering::Relaxed) as f64 / 1e6,
            statuses: self
                .statuses
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed)),
            aborts: self
                .aborts
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed)),
        }
    }
}

/// The counters of a route at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    pub(crate) durations: [u64; BUCKETS],
    /// All durations together.
    pub(crate) seconds: f64,
    /// By the first digit of the status, from 1xx on.
    pub(crate) statuses: [u64; 5],
    /// By [`Abort`].
    pub(crate) aborts: [u64; Abort::ALL.len()],
}

impl Default for Counts {
    fn default() -> Self {
        Counts {
            durations: [0; BUCKETS],
            seconds: 0.0,
            statuses: [0; 5],
            aborts: [0; Abort::ALL.len()],
        }
    }
}

impl Counts {
    /// All that were answered.
    pub(crate) fn total(&self) -> u64 {
        self.durations.iter().sum()
    }

    /// What came since `earlier`.
    pub(crate) fn since(&self, earlier: &Counts) -> Counts {
        let mut difference = self.clone();
        for (now, before) in difference.durations.iter_mut().zip(earlier.durations) {
            *now -= before.min(*now);
        }
        for (now, before) in difference.statuses.iter_mut().zip(earlier.statuses) {
            *now -= before.min(*now);
        }
        for (now, before) in difference.aborts.iter_mut().zip(earlier.aborts) {
            *now -= before.min(*now);
        }
        difference.seconds -= earlier.seconds;
        difference
    }

    /// The duration in seconds that a share of the requests stayed under; 0 without requests.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let rank = (self.total() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.durations.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= rank {
                // All that is known of the last bucket is where it begins.
                return upper_bound(bucket.min(BUCKETS - 2));
            }
        }
        0.0
    }
}

/// The traffic of the whole server.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Requests whose response has not begun.
    pub(crate) in_flight: AtomicI64,
    routes: Mutex<BTreeMap<String, Arc<RouteTraffic>>>,
}

impl Traffic {
    /// The counters of a route. One that was known before, if only to an earlier generation, goes on with its own.
    pub(crate) fn route(&self, pattern: &str) -> Arc<RouteTraffic> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = routes.get(pattern) {
            return route.clone();
        }
        let route = Arc::new(RouteTraffic::new(pattern));
        routes.insert(pattern.to_owned(), route.clone());
        route
    }

    /// The counters of requests without a route.
    pub(crate) fn unmatched(&self) -> Arc<RouteTraffic> {
        self.route(UNMATCHED)
    }

    /// The counters of every route that was asked something, by pattern.
    pub(crate) fn counts(&self) -> Vec<(String, Counts)> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = routes
            .iter()
            .map(|(pattern, route)| (pattern.clone(), route.counts()));
        let was_asked = |counts: &Counts| counts.total() + counts.aborts.iter().sum::<u64>() > 0;
        counts.filter(|(_, counts)| was_asked(counts)).collect()
    }

    /// The exemplars of a route, by octave, as far as there are any.
    pub(crate) fn exemplars(&self, pattern: &str) -> Vec<Option<Exemplar>> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let route = routes.get(pattern);
        route.map_or_else(Vec::new, |route| route.exemplars.all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_below_its_buckets_bound_and_not_below_the_one_before() {
        for micros in (0..2_000).chain([65_535, 65_536, 1_000_000, 16_777_215]) {
            let bucket = bucket(Duration::from_micros(micros));
            let seconds = micros as f64 / 1e6;
            assert!(seconds < upper_bound(bucket), "{micros} µs in {bucket}");
            if bucket > 0 {
                assert!(
                    seconds >= upper_bound(bucket - 1),
                    "{micros} µs in {bucket}"
                );
            }
        }
        assert_eq!(bucket(Duration::from_secs(1_000)), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_right_within_a_bucket() {
        let route = RouteTraffic::new("/");
        for millis in 1..=100 {
            route.record(StatusCode::OK, Duration::from_millis(millis));
        }
        let counts = route.counts();
        for (share, seconds) in [(0.5, 0.050), (0.95, 0.095), (0.99, 0.099)] {
            let found = counts.percentile(share);
            assert!(
                (seconds..seconds * 1.25).contains(&found),
                "{share}: {found}"
            );
        }
        assert_eq!(counts.since(&counts).percentile(0.5), 0.0);
    }
}
