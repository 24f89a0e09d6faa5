//! Coarse time for what is stamped on every byte: one load instead of one `clock_gettime`.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

/// The length of a tick, and the precision of every deadline of this crate's connection plane.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Ticks since the clock was made. Only [`advance`](Clock::advance) moves it, so that reading it costs one load.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    ticks: AtomicU32,
}

impl Clock {
    pub(crate) fn new() -> Self {
        // Tick 0 is left out, so that a stamp of zero can mean "never".
        Self {
            origin: Instant::now(),
            ticks: AtomicU32::new(1),
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> u32 {
        self.ticks.load(Relaxed)
    }

    /// Reads the real clock and makes it the coarse one.
    pub(crate) fn advance(&self) -> u32 {
        let passed = self.origin.elapsed().as_millis() / TICK.as_millis();
        // 2^32 ticks are thirteen years.
        let now = 1 + u32::try_from(passed).unwrap_or(u32::MAX - 1);
        self.ticks.store(now, Relaxed);
        now
    }
}

/// The number of ticks in which at least `duration` passes, one at least. Six years are the most, so that the tick in which it is
/// over has a number, too.
pub(crate) fn ticks(duration: Duration) -> u32 {
    let ticks = duration.as_millis().div_ceil(TICK.as_millis());
    u32::try_from(ticks)
        .unwrap_or(u32::MAX)
        .clamp(1, u32::MAX / 2)
}

/// The time that so many ticks are.
pub(crate) fn duration(ticks: u32) -> Duration {
    TICK * ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn moves_only_when_told() {
        let clock = Clock::new();
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), 1);
        assert_eq!(clock.advance(), 3);
        assert_eq!(clock.now(), 3);
    }

    #[test]
    fn a_duration_is_rounded_up_to_ticks() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(Duration::from_millis(250)), 3);
        assert_eq!(ticks(Duration::from_secs(10)), 100);
        assert_eq!(duration(100), Duration::from_secs(10));
    }

    #[test]
    fn the_longest_durations_can_be_waited_for() {
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        assert!(ticks(6 * YEAR) < ticks(7 * YEAR));
        for years in [7, 10, 13, 14, 500] {
            assert_eq!(ticks(years * YEAR), u32::MAX / 2, "{years}");
        }
        assert_eq!(ticks(Duration::MAX), u32::MAX / 2);
    }
}
