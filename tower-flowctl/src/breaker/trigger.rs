//! What degrades all routes at once: memory, and queues.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

type Gauge = Arc<dyn Fn() -> Option<f64> + Send + Sync>;

/// A number that must not be too high for too long. While it is, all routes are degraded.
#[derive(Clone)]
pub struct Trigger {
    name: &'static str,
    above: f64,
    hold: Duration,
    gauge: Gauge,
}

/// A trigger lets go when its number is below so much of what sets it off.
const RELEASE: f64 = 0.9;

impl Trigger {
    /// Set off when `gauge` was above `above` for `hold`, in every look, which is one a second while there are requests. `None`
    /// is no number and sets nothing off. It lets go below nine tenths of `above`.
    pub fn new(
        name: &'static str,
        above: f64,
        hold: Duration,
        gauge: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            above,
            hold,
            gauge: Arc::new(gauge),
        }
    }

    /// Memory over 90 % for two minutes: of the control group's limit if there is one (version 2, without the page cache
    /// that can be dropped), else the process's resident part of the machine's memory.
    pub fn memory() -> Self {
        Self::new("memory", 0.9, Duration::from_secs(120), super::memory::part)
    }

    /// More than 50 requests in a queue for a second, such as that of a [`Limiter`](crate::limit::Limiter).
    pub fn queue(length: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self::new("queue", 50.0, Duration::from_secs(1), move || {
            Some(length() as f64)
        })
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger")
            .field("name", &self.name)
            .field("above", &self.above)
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}

/// The triggers and since when each has been above.
#[derive(Debug)]
pub(crate) struct Triggers {
    all: Vec<Trigger>,
    watches: Mutex<Vec<Watch>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    above_since: Option<Instant>,
    set_off: bool,
}

impl Triggers {
    pub(crate) fn new(all: Vec<Trigger>) -> Self {
        let watches = Mutex::new(vec![Watch::default(); all.len()]);
        Self { all, watches }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Looks at all; the name of one that is set off.
    pub(crate) fn look(&self, now: Instant) -> Option<&'static str> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut set_off = None;
        for (trigger, watch) in self.all.iter().zip(watches.iter_mut()) {
            let value = (trigger.gauge)().unwrap_or(f64::NEG_INFINITY);
            if value > trigger.above {
                let begun = *watch.above_since.get_or_insert(now);
                watch.set_off |= now - begun >= trigger.hold;
            } else {
                watch.above_since = None;
                watch.set_off &= value >= trigger.above * RELEASE;
            }
            if watch.set_off {
                set_off = set_off.or(Some(trigger.name));
            }
        }
        set_off
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn holds_and_lets_go() {
        let value = Arc::new(AtomicU64::new(0));
        let gauge = Arc::clone(&value);
        let hold = Duration::from_secs(120);
        let trigger = Trigger::new("memory", 90.0, hold, move || {
            Some(gauge.load(Relaxed) as f64)
        });
        let triggers = Triggers::new(vec![trigger]);
        let begun = Instant::now();
        // (second, value, set off)
        let steps = [
            (0, 95, false),
            (119, 91, false),
            (120, 91, true),
            (121, 85, true),
            (122, 80, false),
            (123, 95, false),
            // Below in between: it begins anew.
            (200, 90, false),
            (201, 95, false),
            (320, 95, false),
            (321, 95, true),
        ];
        for (second, now, expected) in steps {
            value.store(now, Relaxed);
            let set_off = triggers.look(begun + Duration::from_secs(second));
            assert_eq!(set_off.is_some(), expected, "at {second} s");
        }
    }
}
