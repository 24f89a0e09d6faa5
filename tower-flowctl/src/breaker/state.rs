//! The breaker's decisions, without clock or counters: one call for each window that has ended.

use std::time::Duration;

/// Where a route's breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum BreakerState {
    /// Requests pass.
    #[default]
    Closed,
    /// Requests are degraded.
    Open,
    /// Some requests pass, to see how it goes.
    HalfOpen,
}

/// The rules, in windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) factor: f64,
    pub(crate) recover_factor: f64,
    pub(crate) least: Duration,
    pub(crate) trip_after: u32,
    pub(crate) open_for: u32,
    pub(crate) least_samples: u64,
    pub(crate) least_probes: u64,
}

/// What a window has shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) samples: u64,
    pub(crate) p95: Duration,
}

impl Window {
    /// One without requests.
    pub(crate) const QUIET: Self = Self {
        samples: 0,
        p95: Duration::ZERO,
    };
}

/// A route's state and what it counts.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    state: BreakerState,
    /// Closed: slow windows in a row. Open: windows so far.
    windows: u32,
}

impl Machine {
    pub(crate) fn state(&self) -> BreakerState {
        self.state
    }

    /// Slow windows in a row, while closed.
    pub(crate) fn slow_windows(&self) -> u32 {
        match self.state {
            BreakerState::Closed => self.windows,
            BreakerState::Open | BreakerState::HalfOpen => 0,
        }
    }

    /// How many windows more it is open.
    pub(crate) fn windows_left(&self, rules: &Rules) -> u32 {
        match self.state {
            BreakerState::Open => rules.open_for.saturating_sub(self.windows),
            BreakerState::Closed | BreakerState::HalfOpen => 0,
        }
    }

    /// A window has ended. Without a baseline nothing opens.
    pub(crate) fn window_ended(
        &mut self,
        window: Window,
        baseline: Option<Duration>,
        rules: &Rules,
    ) -> BreakerState {
        let slower = |factor: f64| {
            baseline.is_some_and(|baseline| {
                is_slower(window.p95, baseline, factor) && window.p95 > rules.least
            })
        };
        match self.state {
            // A window of few samples says nothing: it neither counts nor clears.
            BreakerState::Closed if window.samples < rules.least_samples => {}
            BreakerState::Closed if !slower(rules.factor) => self.windows = 0,
            BreakerState::Closed => {
                self.windows = self.windows.saturating_add(1);
                if self.windows >= rules.trip_after {
                    self.enter(BreakerState::Open);
                }
            }
            BreakerState::Open => {
                self.wait(1, rules);
            }
            BreakerState::HalfOpen if window.samples < rules.least_probes => {}
            BreakerState::HalfOpen if slower(rules.recover_factor) => {
                self.enter(BreakerState::Open);
            }
            BreakerState::HalfOpen => self.enter(BreakerState::Closed),
        }
        self.state
    }

    /// So many windows have ended in which there was no request. They say nothing, but time has passed.
    pub(crate) fn quiet(&mut self, windows: u64, rules: &Rules) -> BreakerState {
        if self.state == BreakerState::Open {
            self.wait(u32::try_from(windows).unwrap_or(u32::MAX), rules);
        }
        self.state
    }

    /// Open, so many windows have ended.
    fn wait(&mut self, windows: u32, rules: &Rules) {
        self.windows = self.windows.saturating_add(windows);
        if self.windows >= rules.open_for {
            self.enter(BreakerState::HalfOpen);
        }
    }

    fn enter(&mut self, state: BreakerState) {
        self.state = state;
        self.windows = 0;
    }
}

/// Whether a duration is over `factor` times a baseline. In floating point, where any factor and any baseline will do.
pub(crate) fn is_slower(duration: Duration, baseline: Duration, factor: f64) -> bool {
    duration.as_nanos() as f64 > baseline.as_nanos() as f64 * factor
}

#[cfg(test)]
mod tests {
    use super::{BreakerState::*, *};

    #[test]
    fn opens_and_closes_at_the_windows_specified() {
        let rules = Rules {
            factor: 2.5,
            recover_factor: 1.5,
            least: Duration::from_millis(1),
            trip_after: 3,
            open_for: 2,
            least_samples: 100,
            least_probes: 5,
        };
        let baseline = Duration::from_millis(10);
        // (samples, p95 in ms, state after the window)
        let windows = [
            (1000, 10, Closed),
            (1000, 26, Closed),
            (1000, 26, Closed),
            // One good window begins the count anew; exactly 2.5 times is not over it.
            (1000, 25, Closed),
            (1000, 26, Closed),
            (1000, 26, Closed),
            // A quiet one does not.
            (99, 10, Closed),
            (0, 0, Closed),
            (1000, 26, Open),
            (0, 0, Open),
            (0, 0, HalfOpen),
            // Too few probes: go on.
            (4, 10, HalfOpen),
            (20, 16, Open),
            (0, 0, Open),
            (0, 0, HalfOpen),
            (20, 15, Closed),
            (1000, 26, Closed),
            (1000, 26, Closed),
            (1000, 26, Open),
        ];
        let mut machine = Machine::default();
        for (at, (samples, millis, expected)) in windows.into_iter().enumerate() {
            let p95 = Duration::from_millis(millis);
            let window = Window { samples, p95 };
            let state = machine.window_ended(window, Some(baseline), &rules);
            assert_eq!(state, expected, "after window {at}");
        }
        for factor in [f64::INFINITY, f64::NAN, f64::MAX] {
            assert!(!is_slower(baseline, baseline, factor), "{factor}");
            assert!(!is_slower(baseline, Duration::MAX, factor), "{factor}");
        }
        assert!(!is_slower(baseline, Duration::MAX, 2.5));
        let mut machine = Machine::default();
        let slow = Window {
            samples: 1000,
            p95: Duration::from_micros(900),
        };
        for _ in 0..5 {
            let tiny = Some(Duration::from_micros(10));
            assert_eq!(
                machine.window_ended(slow, tiny, &rules),
                Closed,
                "under `least`"
            );
            assert_eq!(
                machine.window_ended(slow, None, &rules),
                Closed,
                "no baseline"
            );
        }
    }
}
