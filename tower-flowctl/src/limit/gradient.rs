//! The limit that follows latency: a gradient, as in Netflix's "Gradient2" and Envoy's adaptive concurrency.
//!
//! The mean latency of each window is compared with what the latency is when little is in flight. While they agree the
//! limit grows; when it is larger, requests are queueing somewhere behind us, and the limit shrinks in proportion:
//!
//! ```text
//! gradient = clamp(tolerance × base / latency, 0.5, 1)
//! limit    = (1 − smoothing) × limit + smoothing × (limit × gradient + room)
//! ```
//!
//! `room` is the queue that is allowed, so that the limit can find out whether there is more to be had. Without enough
//! requests to use half of the limit nothing is learned and nothing changes.
//!
//! Netflix takes a long average for the base. Under a load that lasts, that average follows the latency that the limit itself
//! causes, and the two creep up together. So the base is measured, as Envoy does: now and then, when the limit was reached, it
//! is at its least for two windows, and what the latency is then is the base. In between it only falls, or follows windows of
//! little load.
//!
//! Worked example: at a limit of 20 and a base of 10 ms the latency rises to 30 ms. gradient = 1.5 × 10 / 30 = 0.5, and the
//! limit goes to 0.8 × 20 + 0.2 × (20 × 0.5 + 4) = 18.8, then 17.8, down to where the latency is 15 ms.

use std::time::Duration;

/// The settings of the [limiter](super::Limiter)'s gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Gradient {
    /// The limit to begin with. Default 20.
    pub initial: u32,
    /// The least limit. Default 4; 0 is 1.
    pub min: u32,
    /// The greatest limit. Default 1000; less than `min` is `min`.
    pub max: u32,
    /// How much slower than the base a window may be before the limit shrinks. Default 1.5; less than 1, or no number, is 1.
    pub tolerance: f64,
    /// How much of the distance is gone in a window, from 0 to 1. Default 0.2; what is out of range is the nearest that is not,
    /// and no number is 0, with which the limit stays.
    pub smoothing: f64,
    /// The queue that is allowed behind the limit. Default 4; less than 0, or no number, is 0, and more than `max` is `max`.
    pub room: f64,
    /// In how many windows under load the base is measured once, at the next one in which the limit was reached. A window is
    /// a tenth of a second, or longer if it has less than ten requests. Default 600; 0 is 1.
    pub measure_every: u32,
}

impl Default for Gradient {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 4,
            max: 1000,
            tolerance: 1.5,
            smoothing: 0.2,
            room: 4.0,
            measure_every: 600,
        }
    }
}

impl Gradient {
    /// A limit that stays.
    pub fn fixed(limit: u32) -> Self {
        Self {
            initial: limit,
            min: limit,
            max: limit,
            ..Self::default()
        }
    }

    /// Sets the limits: to begin with, the least, and the greatest.
    pub fn limits(mut self, initial: u32, min: u32, max: u32) -> Self {
        (self.initial, self.min, self.max) = (initial, min, max);
        self
    }

    /// With each setting where it has a meaning.
    fn in_range(self) -> Self {
        let min = self.min.max(1);
        let max = self.max.max(min);
        // `max` takes what is no number for the other one.
        Self {
            initial: self.initial.clamp(min, max),
            min,
            max,
            tolerance: self.tolerance.max(1.0),
            smoothing: self.smoothing.clamp(0.0, 1.0).max(0.0),
            room: self.room.clamp(0.0, max.into()).max(0.0),
            measure_every: self.measure_every.max(1),
        }
    }
}

/// The limit at work.
#[derive(Debug)]
pub(crate) struct Limit {
    settings: Gradient,
    limit: f64,
    /// The latency when little is in flight, in seconds.
    base: Option<f64>,
    /// Windows under load until the base is measured.
    until_measured: u32,
    measuring: Option<Measuring>,
}

#[derive(Clone, Copy, Debug)]
enum Measuring {
    /// What was in flight before still ends.
    Settling,
    Counting,
}

/// The base is first measured soon after the load has come.
const FIRST_MEASURED: u32 = 10;

/// How much of the distance to a window of little load the base goes.
const QUIET_WEIGHT: f64 = 0.1;

impl Limit {
    pub(crate) fn new(settings: Gradient) -> Self {
        let settings = settings.in_range();
        Self {
            limit: settings.initial.into(),
            base: None,
            until_measured: FIRST_MEASURED,
            measuring: None,
            settings,
        }
    }

    pub(crate) fn get(&self) -> u32 {
        match self.measuring {
            Some(_) => self.settings.min,
            // Between `min` and `max`.
            None => self.limit as u32,
        }
    }

    /// Whether a request took longer than they do when little is in flight, as far as that is known.
    pub(crate) fn is_above_base(&self, latency: Duration) -> bool {
        self.base.is_some_and(|base| latency.as_secs_f64() > base)
    }

    /// A window has ended: the mean latency in it, and the most requests that were in flight at once.
    pub(crate) fn window_ended(&mut self, latency: Duration, in_flight: u32) {
        let latency = latency.as_secs_f64().max(1e-9);
        match self.measuring {
            Some(Measuring::Settling) => self.measuring = Some(Measuring::Counting),
            Some(Measuring::Counting) => {
                self.base = Some(latency);
                self.measuring = None;
                self.until_measured = self.settings.measure_every;
            }
            None if f64::from(in_flight) < self.limit / 2.0 => {
                let base = self.base.unwrap_or(latency);
                self.base = Some(base + (latency - base) * QUIET_WEIGHT);
            }
            None => self.adjust(latency, in_flight),
        }
    }

    fn adjust(&mut self, latency: f64, in_flight: u32) {
        let reached = in_flight >= self.get();
        let base = self.base.unwrap_or(latency).min(latency);
        self.base = Some(base);
        let Gradient {
            min,
            max,
            tolerance,
            smoothing,
            room,
            ..
        } = self.settings;
        let gradient = (tolerance * base / latency).clamp(0.5, 1.0);
        let target = self.limit * gradient + room;
        let limit = self.limit + (target - self.limit) * smoothing;
        self.limit = limit.clamp(min.into(), max.into());
        self.until_measured = self.until_measured.saturating_sub(1);
        // A measurement holds requests up, so that it waits until the limit does, too.
        if self.until_measured == 0 && reached {
            self.measuring = Some(Measuring::Settling);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_millis(10);
    const THIRTY: Duration = Duration::from_millis(30);

    #[test]
    fn shrinks_as_in_the_example() {
        let mut limit = Limit::new(Gradient::default());
        for _ in 0..20 {
            limit.window_ended(TEN, 1);
        }
        assert_eq!(limit.get(), 20, "nothing is learned without load");
        limit.window_ended(THIRTY, 20);
        assert!((limit.limit - 18.8).abs() < 0.01, "{}", limit.limit);
    }

    #[test]
    fn grows_while_latency_stays_and_stops_at_the_bounds() {
        let mut limit = Limit::new(Gradient::default().limits(20, 10, 50));
        for _ in 0..100 {
            limit.window_ended(TEN, limit.get());
        }
        assert_eq!(limit.get(), 50);
        for _ in 0..100 {
            limit.window_ended(Duration::from_secs(10), limit.get());
        }
        assert_eq!(limit.get(), 10);
        let mut fixed = Limit::new(Gradient::fixed(7));
        for latency in [TEN, THIRTY, TEN, THIRTY] {
            fixed.window_ended(latency, 7);
            assert_eq!(fixed.get(), 7);
        }
    }

    /// The process had no processor, say: all that was in flight took a second.
    #[test]
    fn a_window_that_stood_still_does_little_harm() {
        let mut limit = Limit::new(Gradient::default());
        limit.window_ended(TEN, 20);
        let before = limit.limit;
        limit.window_ended(Duration::from_secs(1), 20);
        assert!(limit.limit >= 0.9 * before, "{} of {before}", limit.limit);
        // It was even the one in which the base is measured.
        limit.measuring = Some(Measuring::Counting);
        limit.window_ended(Duration::from_secs(1), 4);
        assert_eq!(limit.base, Some(1.0));
        limit.window_ended(TEN, 20);
        assert_eq!(limit.base, Some(0.01));
    }

    #[test]
    fn is_at_its_least_while_the_base_is_measured() {
        let mut limit = Limit::new(Gradient::default());
        for _ in 0..FIRST_MEASURED {
            assert!(limit.get() >= 20);
            limit.window_ended(THIRTY, limit.get());
        }
        for latency in [THIRTY, TEN] {
            assert_eq!(limit.get(), 4);
            limit.window_ended(latency, 4);
        }
        assert!(limit.get() >= 20);
        assert_eq!(limit.base, Some(0.01));
    }

    #[test]
    fn is_not_measured_while_the_limit_is_not_reached() {
        let mut limit = Limit::new(Gradient::default());
        for window in 0..10_000 {
            let before = limit.get();
            limit.window_ended(TEN, before - 1);
            assert!(limit.get() >= before, "window {window}: {limit:?}");
        }
        limit.window_ended(TEN, limit.get());
        assert_eq!(limit.get(), 4);
    }

    /// Ten places of 10 ms each: whatever is more in flight only waits. Even after an hour the limit has not run away.
    #[test]
    fn settles_near_what_the_backend_takes() {
        let mut limit = Limit::new(Gradient::default());
        for window in 0..36_000 {
            let in_flight = limit.get();
            let latency = TEN.mul_f64(f64::from(in_flight.max(10)) / 10.0);
            limit.window_ended(latency, in_flight);
            if window > 100 && limit.measuring.is_none() {
                assert!(
                    (12..30).contains(&limit.get()),
                    "{} at {window}",
                    limit.get()
                );
            }
        }
    }
}
