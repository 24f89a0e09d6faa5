/// How short descriptors are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Pressure {
    /// There are enough.
    #[default]
    Normal,
    /// Use was over the high threshold for the debounce: the longest idle connections are closed.
    High,
    /// Use is over the critical threshold, or accept(2) found none.
    Critical,
}

impl Pressure {
    /// What is left of the deadlines of connections that have shown no request yet.
    pub(crate) fn deadline_scale(self) -> f64 {
        match self {
            Self::Normal => 1.0,
            Self::High => 0.5,
            Self::Critical => 0.25,
        }
    }
}

/// The thresholds as parts of the limit, and the debounce in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) critical: f64,
    pub(crate) debounce: u32,
}

/// The level with its hysteresis: a state machine over (time, use).
#[derive(Debug, Default)]
pub(crate) struct Level {
    pressure: Pressure,
    high_since: Option<u32>,
}

impl Level {
    pub(crate) fn observe(&mut self, now: u32, used: f64, thresholds: &Thresholds) -> Pressure {
        if used > thresholds.high {
            let since = *self.high_since.get_or_insert(now);
            if used > thresholds.critical {
                self.pressure = Pressure::Critical;
            } else if self.pressure == Pressure::Normal && now - since >= thresholds.debounce {
                self.pressure = Pressure::High;
            }
        } else {
            self.high_since = None;
            if used < thresholds.low {
                self.pressure = Pressure::Normal;
            } else if self.pressure == Pressure::Critical {
                self.pressure = Pressure::High;
            }
        }
        self.pressure
    }

    /// accept(2) found no descriptor.
    pub(crate) fn exhausted(&mut self) {
        self.pressure = Pressure::Critical;
    }

    pub(crate) fn pressure(&self) -> Pressure {
        self.pressure
    }
}

#[cfg(test)]
mod tests {
    use super::{Pressure::*, *};

    #[test]
    fn debounce_and_hysteresis() {
        let thresholds = Thresholds {
            low: 0.80,
            high: 0.85,
            critical: 0.95,
            debounce: 50,
        };
        // (tick, use, pressure after it)
        let steps = [
            (0, 0.50, Normal),
            (10, 0.86, Normal),
            (59, 0.90, Normal),
            (60, 0.86, High),
            (61, 0.82, High),
            (62, 0.86, High),
            (63, 0.79, Normal),
            // An excursion begins its debounce anew.
            (70, 0.86, Normal),
            (119, 0.84, Normal),
            (120, 0.86, Normal),
            (169, 0.86, Normal),
            (170, 0.86, High),
            (171, 0.96, Critical),
            (172, 0.90, Critical),
            (173, 0.84, High),
            (174, 0.79, Normal),
            // Critical needs no debounce.
            (175, 0.96, Critical),
            (176, 0.10, Normal),
        ];
        let mut level = Level::default();
        for (tick, used, expected) in steps {
            assert_eq!(
                level.observe(tick, used, &thresholds),
                expected,
                "at {tick} with {used}"
            );
        }
        level.exhausted();
        assert_eq!(level.pressure(), Critical);
    }
}
