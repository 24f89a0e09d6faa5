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
use tokio::time::Instant;

use super::{
    BodyError, BodyPool, PooledBody,
    assembly::Assembly,
    timer::{Timer, after},
};
use crate::AcquireError;

/// Frames taken in one poll before other tasks get their turn.
const FRAMES_PER_POLL: usize = 128;

/// How long the next frame of a body that was refused is waited for.
const LINGER: Duration = Duration::from_secs(1);

pin_project! {
    /// The future of [`BodyPool::collect`].
    ///
    /// # Cancellation
    /// Dropping it drops the body and gives all memory back; a place in the queue for memory goes to
    /// the next.
    #[must_use = "futures do nothing unless polled"]
    #[project = Projection]
    pub struct Collect<B> {
        #[pin]
        body: B,
        state: Assembly,
        refused: Option<Refused>,
        // Runs while the future is not ready: towards `receive_by` or the end of the wait for memory.
        #[pin]
        timer: Timer,
    }
}

/// A body for which there was no memory. The rest of it is read all the same, and dropped: a connection that is closed
/// with bytes unread is reset, and the answer may be lost with it.
struct Refused {
    error: BodyError,
    /// Bytes that are read at most.
    rest: usize,
    until: Instant,
}

impl<B: Body> Collect<B> {
    pub(super) fn new(config: BodyPool, body: B, location: &'static Location<'static>) -> Self {
        Self {
            body,
            state: Assembly::new(config, location),
            refused: None,
            timer: Timer::default(),
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
        if this.refused.is_none() {
            match ready!(this.poll_read(cx)) {
                Err(error @ BodyError::NoMemory(why)) if why != AcquireError::Closed => {
                    let rest = this.state.let_go();
                    *this.refused = Some(Refused {
                        error,
                        rest,
                        until: Instant::now() + LINGER,
                    });
                }
                read => return Poll::Ready(read),
            }
        }
        ready!(this.poll_rest(cx));
        match this.refused.take() {
            Some(refused) => Poll::Ready(Err(refused.error)),
            None => Poll::Pending,
        }
    }
}

impl<B> Projection<'_, B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Reads to the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<PooledBody, BodyError>> {
        let limit = self.state.config.limit;
        for _ in 0..FRAMES_PER_POLL {
            // The announced rest, at most what the limit leaves.
            let rest = self.body.size_hint().lower();
            let arrived = self.state.arrived();
            if rest > limit.saturating_sub(arrived) as u64 {
                return Poll::Ready(Err(BodyError::TooLarge { limit }));
            }
            let announced = usize::try_from(rest).unwrap_or(usize::MAX);
            match self.state.poll_memory(announced, cx) {
                Poll::Ready(room) => room?,
                Poll::Pending => {
                    let since = *self.state.waiting_since.get_or_insert_with(Instant::now);
                    let until = after(since, self.state.config.budget_wait);
                    ready!(self.timer.as_mut().poll(until, cx));
                    return Poll::Ready(Err(BodyError::NoMemory(AcquireError::Timeout)));
                }
            }
            self.state.has_waited();
            match self.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(mut data) => {
                        let length = data.remaining();
                        if length > limit - arrived {
                            return Poll::Ready(Err(BodyError::TooLarge { limit }));
                        }
                        if length != 0 {
                            self.state.arrive(data.copy_to_bytes(length));
                        }
                    }
                    Err(frame) => self.state.trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(BodyError::Receive(error.into())));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(self.state.finish());
                }
                Poll::Pending => {
                    self.state.pause()?;
                    let until = self.state.receive_by();
                    ready!(self.timer.as_mut().poll(until, cx));
                    return Poll::Ready(Err(BodyError::Timeout));
                }
            }
        }
        // A body that is always ready, with empty frames say, is still held to its time.
        let until = self.state.receive_by();
        ready!(self.timer.as_mut().turn(until, cx));
        Poll::Ready(Err(BodyError::Timeout))
    }

    /// Reads what comes of a body that was refused, as long as it keeps coming.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(refused) = self.refused else {
            return Poll::Ready(());
        };
        let last = self.state.receive_by();
        for _ in 0..FRAMES_PER_POLL {
            match self.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Buf::remaining);
                    match refused.rest.checked_sub(length) {
                        Some(rest) => refused.rest = rest,
                        None => return Poll::Ready(()),
                    }
                    refused.until = Instant::now() + LINGER;
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    return self.timer.as_mut().poll(refused.until.min(last), cx);
                }
            }
        }
        self.timer.as_mut().turn(last, cx)
    }
}

impl<B> fmt::Debug for Collect<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect")
            .field("arrived", &self.state.arrived())
            .field("waits_for_memory", &self.state.pending.is_some())
            .finish_non_exhaustive()
    }
}
