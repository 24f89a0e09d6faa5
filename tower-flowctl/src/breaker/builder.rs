use std::time::Duration;

use super::{Baselines, Breaker, Trigger, state::Rules, trigger::Triggers};

/// What a [`Breaker`] goes by.
///
/// The defaults: windows of 15 s; it opens when the 95th percentile was over 2.5 times the baseline in 3 windows in a row of
/// at least 100 requests; it is open for 2 windows, then half-open with 20 probes a window; it closes when a window of at
/// least 5 probes was within 1.5 times the baseline.
#[derive(Clone, Debug)]
pub struct BreakerBuilder {
    window: Duration,
    probes: u32,
    rules: Rules,
    baselines: Baselines,
    triggers: Vec<Trigger>,
}

impl Default for BreakerBuilder {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(15),
            probes: 20,
            rules: Rules {
                factor: 2.5,
                recover_factor: 1.5,
                least: Duration::from_millis(1),
                trip_after: 3,
                open_for: 2,
                least_samples: 100,
                least_probes: 5,
            },
            baselines: Baselines::new(),
            triggers: Vec::new(),
        }
    }
}

impl BreakerBuilder {
    /// How long a window is, a millisecond at least. `Duration::MAX` is one that never ends, so that nothing opens.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window.max(Duration::from_millis(1));
        self
    }

    /// A window is slow if its 95th percentile is over so many times the baseline, and over `least`. `least` keeps routes of
    /// microseconds from opening by noise; its default is a millisecond. With an infinite factor, one that is no number, or
    /// `Duration::MAX`, none is slow.
    pub fn slow(mut self, factor: f64, least: Duration) -> Self {
        self.rules.factor = factor;
        self.rules.least = least;
        self
    }

    /// Opens after so many slow windows in a row, one at least.
    pub fn trip_after(mut self, windows: u32) -> Self {
        self.rules.trip_after = windows.max(1);
        self
    }

    /// Stays open for so many windows, one at least.
    pub fn open_for(mut self, windows: u32) -> Self {
        self.rules.open_for = windows.max(1);
        self
    }

    /// A window with fewer requests, or without any, whatever the number, says nothing: it neither counts nor clears.
    pub fn least_samples(mut self, requests: u64) -> Self {
        self.rules.least_samples = requests.max(1);
        self
    }

    /// Half-open, so many requests pass in a window, one at least. It closes when the 95th percentile of at least `least` of them (of
    /// all, if `least` is more than `requests`) is within `factor` times the baseline. With a factor that is no number it always is.
    pub fn probes(mut self, requests: u32, least: u64, factor: f64) -> Self {
        self.probes = requests.max(1);
        self.rules.least_probes = least.clamp(1, self.probes.into());
        self.rules.recover_factor = factor;
        self
    }

    /// The baselines. A route without one learns its own from healthy windows.
    pub fn baselines(mut self, baselines: Baselines) -> Self {
        self.baselines = baselines;
        self
    }

    /// Adds something that degrades all routes at once.
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.triggers.push(trigger);
        self
    }

    /// Builds it. The first window begins now.
    pub fn build(self) -> Breaker {
        let triggers = Triggers::new(self.triggers);
        Breaker::new(
            self.window,
            self.probes,
            self.rules,
            self.baselines,
            triggers,
        )
    }
}
