//! Promotion and abortion of a canary by what it saw.

use std::time::Duration;

use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// When a canary is promoted or aborted by itself.
///
/// Both sides are watched from the start of the canary: the share of requests that failed (an error of the service,
/// or a status of 500 and above) and the time to the head of the response. As soon as the canary answered
/// [`samples`](Self::samples) requests it is aborted if it failed more often than the primary by more than
/// [`error_excess`](Self::error_excess), or if its ninth decile of the time is more than
/// [`slowdown`](Self::slowdown) times the primary's, and promoted otherwise. It is aborted before that when so
/// many requests failed that all of the rest could not make up for them.
///
/// With fewer than 200 samples chance decides more than the canary does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Automatic {
    samples: u32,
    error_excess: f64,
    slowdown: f64,
}

impl Default for Automatic {
    /// 1,000 samples, 1 percentage point, 2.5 times.
    fn default() -> Self {
        Self {
            samples: 1000,
            error_excess: 0.01,
            slowdown: 2.5,
        }
    }
}

impl Automatic {
    /// How many requests of the canary decide; at least 1.
    #[must_use]
    pub fn samples(mut self, samples: u32) -> Self {
        self.samples = samples.max(1);
        self
    }

    /// By how much the canary's share of failures may exceed the primary's: 0.01 is a percentage point.
    #[must_use]
    pub fn error_excess(mut self, excess: f64) -> Self {
        self.error_excess = excess;
        self
    }

    /// How many times the primary's ninth decile the canary's may be. Times are kept to 12 %.
    #[must_use]
    pub fn slowdown(mut self, factor: f64) -> Self {
        self.slowdown = factor;
        self
    }
}

/// What becomes of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Promote,
    Abort,
}

/// Which side answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Primary,
    Canary,
}

/// The records of both sides while a canary runs.
#[derive(Debug)]
pub(crate) struct Trial {
    automatic: Automatic,
    primary: Record,
    canary: Record,
}

impl Trial {
    pub(crate) fn new(automatic: Automatic) -> Self {
        Self {
            automatic,
            primary: Record::new(),
            canary: Record::new(),
        }
    }

    /// Records an answer; returns what is to be done now, if anything. It may be returned more than once.
    pub(crate) fn record(&self, side: Side, time: Duration, failed: bool) -> Option<Verdict> {
        match side {
            Side::Primary => {
                self.primary.add(time, failed);
                None
            }
            Side::Canary => {
                self.canary.add(time, failed);
                self.judge()
            }
        }
    }

    fn judge(&self) -> Option<Verdict> {
        let Automatic {
            samples,
            error_excess,
            slowdown,
        } = self.automatic;
        let (total, failures) = self.canary.counts();
        let permitted = self.primary.failure_rate() + error_excess;
        // The rate if every request from here on succeeds.
        let best_rate = failures as f64 / total.max(u64::from(samples)) as f64;
        if best_rate > permitted {
            return Some(Verdict::Abort);
        }
        if total < u64::from(samples) {
            return None;
        }
        match (self.primary.ninth_decile(), self.canary.ninth_decile()) {
            (Some(primary), Some(canary)) if canary > primary * slowdown => Some(Verdict::Abort),
            _ => Some(Verdict::Promote),
        }
    }
}

/// Buckets to an octave, and octaves from 1 µs on.
const STEPS: usize = 8;
const OCTAVES: usize = 32;

/// A histogram of times on a scale of eighth octaves.
#[derive(Debug)]
struct Record {
    total: AtomicU64,
    failures: AtomicU64,
    buckets: Box<[AtomicUsize]>,
}

impl Record {
    fn new() -> Self {
        Self {
            total: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            buckets: (0..STEPS * OCTAVES).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    fn add(&self, time: Duration, failed: bool) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let octave = micros.ilog2() as usize;
        // The three bits below the leading one.
        let step = ((micros << 3) >> octave) as usize & (STEPS - 1);
        let bucket = (octave * STEPS + step).min(STEPS * OCTAVES - 1);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> (u64, u64) {
        let failures = self.failures.load(Ordering::Relaxed);
        (self.total.load(Ordering::Relaxed), failures)
    }

    fn failure_rate(&self) -> f64 {
        let (total, failures) = self.counts();
        failures as f64 / total.max(1) as f64
    }

    /// The lower edge, in microseconds, of the bucket that nine tenths of the answers reach.
    fn ninth_decile(&self) -> Option<f64> {
        let counts: Vec<usize> = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect();
        let wanted = (counts.iter().sum::<usize>() * 9).div_ceil(10);
        let mut seen = 0;
        let reached = counts.iter().position(|count| {
            seen += count;
            wanted > 0 && seen >= wanted
        })?;
        let edge = 1.0 + (reached % STEPS) as f64 / STEPS as f64;
        Some(edge * 2f64.powi((reached / STEPS) as i32))
    }
}

#[cfg(all(test, not(hotswap_loom)))]
mod tests {
    use super::*;

    fn run(primary: (u64, u32), canary: (u64, u32)) -> (Option<Verdict>, u32) {
        let trial = Trial::new(Automatic::default().samples(200));
        let fails = |n: u32, percent: u32| n % 100 < percent;
        for n in 0..1000 {
            let time = Duration::from_millis(primary.0);
            trial.record(Side::Primary, time, fails(n, primary.1));
        }
        for n in 0..200 {
            let time = Duration::from_millis(canary.0);
            let verdict = trial.record(Side::Canary, time, fails(n, canary.1));
            if verdict.is_some() {
                return (verdict, n + 1);
            }
        }
        (None, 200)
    }

    #[test]
    fn verdicts() {
        use Verdict::{Abort, Promote};
        let cases = [
            ("alike", (10, 0), (10, 0), (Some(Promote), 200)),
            ("both fail alike", (10, 5), (10, 5), (Some(Promote), 200)),
            (
                "slower within bounds",
                (10, 0),
                (20, 0),
                (Some(Promote), 200),
            ),
            ("much slower", (10, 0), (40, 0), (Some(Abort), 200)),
            (
                "one failure in a hundred",
                (10, 0),
                (10, 1),
                (Some(Promote), 200),
            ),
            (
                "always fails, known early",
                (10, 0),
                (10, 100),
                (Some(Abort), 3),
            ),
        ];
        for (name, primary, canary, wanted) in cases {
            assert_eq!(run(primary, canary), wanted, "{name}");
        }
    }
}
