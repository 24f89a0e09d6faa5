//! Reading a body to its end.

use std::{
    error::Error,
    fmt,
    panic::Location,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Buf;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::{BodyError, BodyPool, PooledBody, assembly::Assembly};
use crate::AcquireError;

/// Frames taken in one poll before other tasks get their turn.
const FRAMES_PER_POLL: usize = 128;

pin_project! {
    /// The future of [`BodyPool::collect`].
    ///
    /// # Cancellation
    /// Dropping it drops the body and gives all memory back; a place in the queue for memory goes to
    /// the next.
    #[must_use = "futures do nothing unless polled"]
    pub struct Collect<B> {
        #[pin]
        body: B,
        state: Assembly,
        // Runs while the future is not ready: towards `receive_by` or the end of the wait for memory.
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<B: Body> Collect<B> {
    pub(super) fn new(config: BodyPool, body: B, location: &'static Location<'static>) -> Self {
        Self {
            body,
            state: Assembly::new(config, location),
            timer: None,
        }
    }
}

impl<B> Future for Collect<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = Result<PooledBody, BodyError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let limit = this.state.config.limit;
        for _ in 0..FRAMES_PER_POLL {
            // The announced rest, at most what the limit leaves.
            let rest = this.body.size_hint().lower();
            let arrived = this.state.arrived();
            if rest > limit.saturating_sub(arrived) as u64 {
                return Poll::Ready(Err(BodyError::TooLarge { limit }));
            }
            let announced = usize::try_from(rest).unwrap_or(usize::MAX);
            match this.state.poll_memory(announced, cx) {
                Poll::Ready(room) => room?,
                Poll::Pending => {
                    let since = *this.state.waiting_since.get_or_insert_with(Instant::now);
                    let until = after(since, this.state.config.budget_wait);
                    ready!(poll_timer(this.timer.as_mut(), until, cx));
                    return Poll::Ready(Err(BodyError::NoMemory(AcquireError::Timeout)));
                }
            }
            if let Some(since) = this.state.waiting_since.take() {
                let waited = since.elapsed();
                this.state.receive_by = this.state.receive_by.map(|by| after(by, waited));
            }
            match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(mut data) => {
                        let length = data.remaining();
                        if length > limit - arrived {
                            return Poll::Ready(Err(BodyError::TooLarge { limit }));
                        }
                        if length != 0 {
                            this.state.pending = Some(data.copy_to_bytes(length));
                        }
                    }
                    Err(frame) => this.state.trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(BodyError::Receive(error.into())));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(this.state.finish());
                }
                Poll::Pending => {
                    this.state.let_go_of_frame();
                    let until = this.state.receive_by();
                    ready!(poll_timer(this.timer.as_mut(), until, cx));
                    return Poll::Ready(Err(BodyError::Timeout));
                }
            }
        }
        // A body that is always ready, with empty frames say, is still held to its time.
        let until = this.state.receive_by();
        if poll_timer(this.timer.as_mut(), until, cx).is_ready() {
            return Poll::Ready(Err(BodyError::Timeout));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The time `wait` after `start`; where the clock does not reach so far, a time that nobody lives to see.
pub(super) fn after(start: Instant, wait: Duration) -> Instant {
    const DECADES: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    start.checked_add(wait).unwrap_or_else(|| start + DECADES)
}

/// Polls the timer, set to `until`.
fn poll_timer(
    mut timer: Pin<&mut Option<Sleep>>,
    until: Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if timer.is_none() {
        timer.set(Some(tokio::time::sleep_until(until)));
    }
    let Some(mut sleep) = timer.as_mut().as_pin_mut() else {
        return Poll::Pending;
    };
    if sleep.deadline() != until {
        sleep.as_mut().reset(until);
    }
    sleep.poll(cx)
}

impl<B> fmt::Debug for Collect<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect")
            .field("arrived", &self.state.arrived())
            .field("waits_for_memory", &self.state.pending.is_some())
            .finish_non_exhaustive()
    }
}
