//! Moments that are far away.

use std::time::Duration;

use tokio::time::Instant;

/// What a duration is that the clock has no name for: thirty years.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);

/// `now` and so much later. Of durations beyond the clock's reach it only matters that they do not pass.
#[inline]
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or_else(|| now + LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_duration_is_too_long() {
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        assert_eq!(later(now, minute) - now, minute);
        assert_eq!(later(now, Duration::MAX) - now, LONGEST);
    }
}
