//! One timer for a whole body.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

pin_project! {
    /// Waits until a time that is said anew with each poll.
    ///
    /// Between two frames it is almost free: as long as time and task stay what they were, looking whether the time
    /// has come is one load, where a poll of [`Sleep`] would clone the waker and drop the last clone.
    #[derive(Default)]
    pub(super) struct Timer {
        #[pin]
        sleep: Option<Sleep>,
        // Whom `sleep` will wake.
        waker: Option<Waker>,
    }
}

impl Timer {
    /// Ready once it is past `until`.
    pub(super) fn poll(self: Pin<&mut Self>, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.sleep.is_none() {
            this.sleep.set(Some(tokio::time::sleep_until(until)));
        }
        let Some(mut sleep) = this.sleep.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
            *this.waker = None;
        }
        let known = this.waker.as_ref();
        // Elapsing comes first and waking second, so that what is not seen here wakes the task again.
        if known.is_some_and(|waker| waker.will_wake(cx.waker())) && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        let past = sleep.poll(cx);
        *this.waker = past.is_pending().then(|| cx.waker().clone());
        past
    }

    /// Lets other tasks have their turn, unless it is past `until`.
    pub(super) fn turn(self: Pin<&mut Self>, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let past = self.poll(until, cx);
        if past.is_pending() {
            cx.waker().wake_by_ref();
        }
        past
    }
}

/// The time `wait` after `start`; where the clock does not reach so far, a time that nobody lives to see.
pub(super) fn after(start: Instant, wait: Duration) -> Instant {
    const DECADES: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    start.checked_add(wait).unwrap_or_else(|| start + DECADES)
}

#[cfg(all(test, not(pool_loom)))]
mod tests {
    use std::{
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_that_polled_last_is_woken_at_the_time_said_last() {
        let start = Instant::now();
        let seconds = |count| start + Duration::from_secs(count);
        let mut timer = pin!(Timer::default());
        let counts = [(); 2].map(|()| Arc::new(Count::default()));
        let wakers = counts.clone().map(Waker::from);
        for (task, until) in [(0, 10), (0, 10), (1, 10), (1, 20), (1, 20)] {
            let mut cx = Context::from_waker(&wakers[task]);
            assert!(timer.as_mut().poll(seconds(until), &mut cx).is_pending());
        }
        let woken = || counts.clone().map(|count| count.0.load(Ordering::Relaxed));
        tokio::time::sleep_until(seconds(15)).await;
        assert_eq!(woken(), [0, 0], "neither at the time said first");
        tokio::time::sleep_until(seconds(25)).await;
        assert_eq!(woken(), [0, 1]);
        let mut cx = Context::from_waker(&wakers[1]);
        assert!(timer.poll(seconds(20), &mut cx).is_ready());
    }
}
