//! Policies: from demand to what is kept.

use std::time::Duration;

use super::Pressure;

/// What a policy decides on: the time since the last tick.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Demand {
    /// How long the tick was.
    pub elapsed: Duration,
    /// By size class, the smallest first.
    pub classes: Vec<ClassDemand>,
    /// How short the machine or the control group is of memory.
    pub pressure: Pressure,
}

/// The demand for one class during a tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassDemand {
    /// Bytes of a buffer.
    pub size: usize,
    /// Buffers idle now.
    pub idle: usize,
    /// Of those, how many were idle all the time.
    pub untouched: usize,
    /// Buffers out now.
    pub in_use: usize,
    /// Acquisitions.
    pub acquired: u64,
    /// Of those, how many had to allocate.
    pub misses: u64,
}

impl ClassDemand {
    /// The most buffers that were needed at one moment.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.in_use + self.idle - self.untouched.min(self.idle)
    }
}

/// Decides how much idle memory is kept.
pub trait RetentionPolicy: Send {
    /// Sets in `keep`, by class, how many idle buffers may stay. They are `usize::MAX` at first.
    fn retain(&mut self, demand: &Demand, keep: &mut [usize]);
}

/// Keeps what the highest recent demand needed, with the mark decaying by half-lives.
///
/// - A new peak raises the mark at once.
/// - Otherwise the mark falls by half each [`half_life`](Self::half_life), down to the present peak.
/// - While acquisitions rise by more than a quarter from tick to tick, it does not fall.
/// - Under [`Pressure::High`] it drops to the present peak; under [`Pressure::Critical`] no idle
///   buffer is kept.
///
/// A mark below half a buffer is none: after a burst of *n* buffers the last is given up after
/// log₂(2 *n*) half-lives of quiet.
#[derive(Debug, Clone)]
pub struct DecayingDemand {
    half_life: Duration,
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    buffers: f64,
    /// Acquisitions a second in the last tick.
    rate: f64,
}

impl Default for DecayingDemand {
    /// 30 seconds: a burst that comes back within the minute still finds a quarter.
    fn default() -> Self {
        Self::half_life(Duration::from_secs(30))
    }
}

impl DecayingDemand {
    /// A policy whose mark halves in `half_life`.
    #[must_use]
    pub fn half_life(half_life: Duration) -> Self {
        Self {
            half_life,
            marks: Vec::new(),
        }
    }
}

impl RetentionPolicy for DecayingDemand {
    fn retain(&mut self, demand: &Demand, keep: &mut [usize]) {
        self.marks.resize(demand.classes.len(), Mark::default());
        let seconds = demand.elapsed.as_secs_f64();
        let decay = (-seconds / self.half_life.as_secs_f64().max(f64::MIN_POSITIVE)).exp2();
        for ((class, mark), keep) in demand.classes.iter().zip(&mut self.marks).zip(keep) {
            let peak = class.peak() as f64;
            let rate = if seconds > 0.0 {
                class.acquired as f64 / seconds
            } else {
                mark.rate
            };
            let rising = rate > mark.rate * 1.25;
            mark.rate = rate;
            mark.buffers = match demand.pressure {
                Pressure::None if rising => mark.buffers.max(peak),
                Pressure::None => (mark.buffers * decay).max(peak),
                Pressure::High | Pressure::Critical => peak,
            };
            *keep = match demand.pressure {
                Pressure::Critical => 0,
                _ if mark.buffers < 0.5 => 0,
                _ => (mark.buffers.ceil() as usize).saturating_sub(class.in_use),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(
        pressure: Pressure,
        idle: usize,
        untouched: usize,
        in_use: usize,
        acquired: u64,
    ) -> Demand {
        let class = ClassDemand {
            size: 1,
            idle,
            untouched,
            in_use,
            acquired,
            misses: 0,
        };
        Demand {
            elapsed: Duration::from_secs(10),
            classes: vec![class],
            pressure,
        }
    }

    #[test]
    fn the_mark_follows_peaks_and_decays() {
        let mut policy = DecayingDemand::half_life(Duration::from_secs(10));
        let steps = [
            (
                "a burst is kept",
                demand(Pressure::None, 60, 0, 4, 1000),
                60,
            ),
            (
                "half of it a half-life later",
                demand(Pressure::None, 64, 64, 0, 0),
                32,
            ),
            ("a quarter", demand(Pressure::None, 32, 32, 0, 0), 16),
            (
                "what is out counts as kept",
                demand(Pressure::None, 16, 16, 6, 0),
                2,
            ),
            (
                "rising acquisitions hold the mark",
                demand(Pressure::None, 16, 16, 0, 50),
                8,
            ),
            (
                "steady ones do not",
                demand(Pressure::None, 16, 16, 0, 50),
                4,
            ),
            (
                "pressure keeps the present peak",
                demand(Pressure::High, 16, 13, 0, 50),
                3,
            ),
            (
                "hard pressure keeps nothing",
                demand(Pressure::Critical, 16, 13, 0, 50),
                0,
            ),
            ("quiet", demand(Pressure::None, 1, 1, 0, 0), 2),
            ("quiet", demand(Pressure::None, 1, 1, 0, 0), 1),
            ("quiet", demand(Pressure::None, 1, 1, 0, 0), 0),
        ];
        for (case, demand, wanted) in steps {
            let mut keep = [usize::MAX];
            policy.retain(&demand, &mut keep);
            assert_eq!(keep, [wanted], "case {case}");
        }
    }
}
