use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A token bucket over all listeners, kept as the time at which it would be full (the generic cell rate algorithm):
/// one value, no refill.
#[derive(Debug)]
pub(crate) struct AcceptRate {
    full_at: Mutex<Instant>,
}

impl AcceptRate {
    pub(crate) fn new() -> Self {
        Self {
            full_at: Mutex::new(Instant::now()),
        }
    }

    /// Takes a token, or says when there will be one.
    pub(crate) fn take(&self, now: Instant, a_second: u32, burst: u32) -> Result<(), Instant> {
        let token = Duration::from_secs(1) / a_second;
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = now + token * burst;
        // Beyond `latest` it was filled at a rate that has been raised since.
        *full_at = (*full_at).clamp(now, latest);
        let after = *full_at + token;
        if after <= latest {
            *full_at = after;
            Ok(())
        } else {
            Err(now + (after - latest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_the_rate() {
        let rate = AcceptRate::new();
        let mut now = Instant::now();
        for _ in 0..3 {
            assert_eq!(rate.take(now, 10, 3), Ok(()));
        }
        let next = now + Duration::from_millis(100);
        assert_eq!(rate.take(now, 10, 3), Err(next));
        now = next;
        assert_eq!(rate.take(now, 10, 3), Ok(()));
        assert_eq!(rate.take(now, 10, 3), Err(now + Duration::from_millis(100)));
        now += Duration::from_secs(60);
        for _ in 0..3 {
            assert_eq!(rate.take(now, 10, 3), Ok(()));
        }
        assert!(rate.take(now, 10, 3).is_err());
    }

    /// A burst of 1,000 that was spent at 10 a second is 100 s of waiting, which must not stay when the rate is raised.
    #[tokio::test(start_paused = true)]
    async fn a_raised_rate_holds_at_once() {
        let rate = AcceptRate::new();
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(rate.take(now, 10, 1000), Ok(()));
        }
        let next = now + Duration::from_millis(1);
        assert_eq!(rate.take(now, 1000, 1000), Err(next));
        assert_eq!(rate.take(next, 1000, 1000), Ok(()));
    }
}
