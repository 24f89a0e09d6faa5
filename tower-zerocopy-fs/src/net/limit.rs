//! A limit on the bytes a second that one connection sends.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Sent bytes are a debt that time pays off; while it is larger than a quarter of a second's worth, nothing is sent.
#[derive(Debug)]
pub(super) struct RateLimit {
    bytes_per_second: u64,
    /// When the debt will be paid.
    paid: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl RateLimit {
    const BURST: Duration = Duration::from_millis(250);

    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            paid: Instant::now(),
            sleep: None,
        }
    }

    /// Ready with the bytes that may be sent now, at least one.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        if self.paid > Instant::now() + Self::BURST {
            let sleep = self
                .sleep
                .insert(Box::pin(sleep_until(self.paid - Self::BURST / 2)));
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        let burst = self.bytes_per_second / 8;
        Poll::Ready(usize::try_from(burst).unwrap_or(usize::MAX).max(1))
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        self.paid = self.paid.max(Instant::now()) + cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_carries_what_was_promised() {
        let mut limit = RateLimit::new(80_000);
        let start = Instant::now();
        let mut sent = 0;
        while sent < 800_000 {
            let allowed = std::future::poll_fn(|cx| limit.poll_ready(cx)).await;
            let bytes = allowed.min(6_000);
            limit.sent(bytes);
            sent += bytes;
        }
        let took = start.elapsed();
        assert!(
            (Duration::from_millis(9_500)..Duration::from_millis(10_100)).contains(&took),
            "{took:?}"
        );
    }
}
