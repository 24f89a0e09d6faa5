//! Times of several subjects in one interleaved run.
//!
//! On a shared machine the clock drifts within seconds, so subjects take turns
//! sample by sample, each round starting with another one. The ratio to the
//! reference is the median of the rounds' own ratios: both halves of each were
//! measured within milliseconds of each other.
//!
//! Time is the thread's own on the processor, so that what other processes
//! take of it is not charged to whoever has the longer sample.

use std::{fmt, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use serde::Serialize;

use crate::{
    progress::Progress,
    stats::{Interval, median, median_interval},
};

/// A sample lasts at least this long, so that the clock's own cost vanishes.
const SAMPLE: Duration = Duration::from_micros(300);
/// A subject whose sample lasts longer sits rounds out, so that the slow do not starve the rest.
const PATIENCE: Duration = Duration::from_millis(4);
/// Every subject has at least this many samples.
const LEAST_SAMPLES: usize = 5;

/// Something to be timed: `work(passes)`, where a pass does `units` units of work.
pub struct Subject<'a> {
    /// The work, done as often as it is told.
    pub work: Box<dyn FnMut(usize) + 'a>,
    /// How much work one pass is.
    pub units: usize,
}

/// Nanoseconds per unit of work.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Timing {
    /// The median of the samples.
    pub median_ns: f64,
    /// The best sample.
    pub min_ns: f64,
    /// How many times faster than the reference; 1 for the reference itself.
    pub speedup: f64,
    /// Where that lies with a confidence of 95 %.
    pub speedup_interval: Interval,
    /// How many samples there were.
    pub samples: usize,
}

/// Times all subjects in `rounds` rounds; ratios are against the subject at `reference`.
pub fn interleave(subjects: &mut [Subject<'_>], rounds: usize, reference: usize) -> Vec<Timing> {
    let plans: Vec<Plan> = subjects.iter_mut().map(|s| Plan::of(s, rounds)).collect();
    let mut samples = vec![Vec::with_capacity(rounds); subjects.len()];
    let progress = Progress::new("rounds", rounds);
    for round in 0..rounds {
        // Between samples: what it draws is in none.
        progress.step("");
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            let plan = &plans[index];
            let due = round % plan.stride == 0;
            samples[index].push(due.then(|| plan.sample(&mut subjects[index])));
        }
    }
    let baseline = samples[reference].clone();
    samples.iter().map(|s| summarise(s, &baseline)).collect()
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("units", &self.units)
            .finish_non_exhaustive()
    }
}

struct Plan {
    passes: usize,
    stride: usize,
    warm: bool,
}

impl Plan {
    fn of(subject: &mut Subject<'_>, rounds: usize) -> Self {
        (subject.work)(1);
        let start = now();
        (subject.work)(1);
        let pass = (now() - start).max(Duration::from_nanos(50));
        let passes = SAMPLE.as_nanos().div_ceil(pass.as_nanos()).max(1) as usize;
        let sample = pass * passes as u32;
        let stride = sample.as_nanos().div_ceil(PATIENCE.as_nanos()) as usize;
        Self {
            passes,
            stride: stride.clamp(1, (rounds / LEAST_SAMPLES).max(1)),
            // A short pass is meant to run warm; the subjects between have cooled the caches.
            warm: pass < SAMPLE,
        }
    }

    fn sample(&self, subject: &mut Subject<'_>) -> f64 {
        if self.warm {
            (subject.work)(1);
        }
        let start = now();
        (subject.work)(self.passes);
        (now() - start).as_nanos() as f64 / (self.passes * subject.units) as f64
    }
}

/// The processor time of this thread.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn summarise(samples: &[Option<f64>], reference: &[Option<f64>]) -> Timing {
    let times: Vec<f64> = samples.iter().copied().flatten().collect();
    let ratios: Vec<f64> = samples
        .iter()
        .zip(reference)
        .filter_map(|(own, other)| Some((*other)? / (*own)?))
        .collect();
    Timing {
        min_ns: times.iter().copied().fold(f64::INFINITY, f64::min),
        samples: times.len(),
        median_ns: median(&times),
        speedup: median(&ratios),
        speedup_interval: median_interval(&ratios),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_pair_the_rounds_both_ran_in() {
        let own = [Some(10.0), None, Some(40.0)];
        let reference = [Some(20.0), Some(1000.0), Some(80.0)];
        let timing = summarise(&own, &reference);
        assert_eq!(timing.samples, 2);
        assert!((timing.speedup - 2.0).abs() < 1e-9);
        assert!((timing.min_ns - 10.0).abs() < 1e-9);
    }

    #[test]
    fn every_subject_runs_and_does_its_passes() {
        let mut calls = [0_usize; 2];
        let [first, second] = &mut calls;
        let mut subjects = [
            Subject {
                work: Box::new(|passes| *first += passes),
                units: 1,
            },
            Subject {
                work: Box::new(|passes| *second += passes),
                units: 1,
            },
        ];
        let timings = interleave(&mut subjects, 10, 0);
        drop(subjects);
        assert!(timings.iter().all(|t| t.samples >= LEAST_SAMPLES));
        assert!(calls.iter().all(|&n| n > 10));
    }
}
