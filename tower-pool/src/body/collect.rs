//! Reading a body to its end.

use std::{
    error::Error,
    fmt,
    panic::Location,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::{BodyError, BodyPool, PooledBody, pooled::Content};
use crate::{
    AcquireError, PooledBuf,
    acquire::{join, poll_join},
    core::{Place, Wait},
    pool::{Fit, Shared},
    raw::block::Block,
};

/// How much larger than what has arrived a buffer may be on the word of `Content-Length`.
const TRUST: usize = 64;

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

/// What has arrived.
struct Assembly {
    config: BodyPool,
    content: Content,
    /// A frame that there is no room for yet.
    pending: Option<Bytes>,
    trailers: Option<HeaderMap>,
    memory: Memory,
    /// Set when the sender was first waited for.
    receive_by: Option<Instant>,
    /// Since when memory has been waited for.
    waiting_since: Option<Instant>,
}

/// What is waited for.
enum Memory {
    Enough,
    First(Option<(Wait<Block, Shared>, Fit)>),
    More(Wait<Block, Shared>, Fit),
}

impl<B: Body> Collect<B> {
    pub(super) fn new(config: BodyPool, body: B) -> Self {
        Self {
            body,
            state: Assembly {
                config,
                content: Content::Empty,
                pending: None,
                trailers: None,
                memory: Memory::Enough,
                receive_by: None,
                waiting_since: None,
            },
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
            if let Some(frame) = this.state.pending.take() {
                let announced = usize::try_from(rest).unwrap_or(usize::MAX);
                match this.state.store(frame, announced, cx) {
                    Poll::Ready(stored) => stored?,
                    Poll::Pending => {
                        let since = *this.state.waiting_since.get_or_insert_with(Instant::now);
                        let until = since + this.state.config.budget_wait;
                        ready!(poll_timer(this.timer.as_mut(), until, cx));
                        return Poll::Ready(Err(BodyError::NoMemory(AcquireError::Timeout)));
                    }
                }
                if let Some(since) = this.state.waiting_since.take() {
                    let waited = since.elapsed();
                    this.state.receive_by = this.state.receive_by.map(|by| by + waited);
                }
            }
            if rest > 0 {
                this.state
                    .let_go_of_frame(usize::try_from(rest).unwrap_or(usize::MAX));
            }
            let arrived = this.state.content.len();
            if rest > (limit - arrived) as u64 {
                return Poll::Ready(Err(BodyError::TooLarge { limit }));
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
                    let content = std::mem::take(&mut this.state.content);
                    return Poll::Ready(Ok(PooledBody::new(content, this.state.trailers.take())));
                }
                Poll::Pending => {
                    this.state.let_go_of_frame(0);
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

impl Assembly {
    fn receive_by(&mut self) -> Instant {
        *self
            .receive_by
            .get_or_insert_with(|| Instant::now() + self.config.receive_timeout)
    }

    /// How much memory to ask for when `arrived` bytes have come: at most what the limit allows, and
    /// no further than what has arrived vouches for.
    fn wanted(&self, arrived: usize, announced: usize) -> usize {
        arrived
            .saturating_add(announced)
            .min(arrived.saturating_mul(TRUST))
            .min(self.config.limit)
            .max(arrived)
    }

    /// Copies a first frame that others will follow, so that the connection gets its memory back
    /// before it reads on. When there is no memory now, the next frame will wait for it.
    fn let_go_of_frame(&mut self, announced: usize) {
        if let Content::Frame(first) = &self.content
            && let Ok(mut buffer) = self
                .config
                .pool
                .try_acquire(self.wanted(first.len(), announced))
            && buffer.extend_from_slice(first).is_ok()
        {
            self.content = Content::Pooled(buffer);
        }
    }

    /// Adds `frame`; keeps it in `pending` while there is no memory for it.
    fn store(
        &mut self,
        frame: Bytes,
        announced: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BodyError>> {
        match self.poll_room(&frame, announced, cx) {
            Poll::Ready(Ok(Some(mut buffer))) => {
                let appended = buffer.extend_from_slice(&frame);
                self.content = Content::Pooled(buffer);
                Poll::Ready(appended.map_err(BodyError::NoMemory))
            }
            Poll::Ready(Ok(None)) => {
                self.content = Content::Frame(frame);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(BodyError::NoMemory(error))),
            Poll::Pending => {
                self.pending = Some(frame);
                Poll::Pending
            }
        }
    }

    /// A buffer with what has arrived and room for `frame`; `None` when `frame` is the first.
    fn poll_room(
        &mut self,
        frame: &Bytes,
        announced: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<PooledBuf>, AcquireError>> {
        let arrived = self.content.len() + frame.len();
        let wanted = self.wanted(arrived, announced);
        loop {
            match &mut self.memory {
                Memory::First(wait) => {
                    let mut buffer =
                        ready!(poll_join(&self.config.pool, wait, Location::caller(), cx))?;
                    self.memory = Memory::Enough;
                    buffer.extend_from_slice(&self.content)?;
                    self.content = Content::Pooled(buffer);
                }
                Memory::More(wait, fit) => {
                    let granted = ready!(wait.poll(cx));
                    let fit = *fit;
                    self.memory = Memory::Enough;
                    let block = granted?;
                    if let Content::Pooled(buffer) = &mut self.content {
                        buffer.count_growth(fit);
                        buffer.move_to(block, fit)?;
                    }
                }
                Memory::Enough => match std::mem::take(&mut self.content) {
                    Content::Empty => return Poll::Ready(Ok(None)),
                    Content::Frame(first) => match self.config.pool.try_acquire(wanted) {
                        Ok(mut buffer) => {
                            buffer.extend_from_slice(&first)?;
                            return Poll::Ready(Ok(Some(buffer)));
                        }
                        Err(AcquireError::Exhausted) => {
                            self.content = Content::Frame(first);
                            self.memory = Memory::First(Some(join(&self.config.pool, wanted)?));
                        }
                        Err(error) => return Poll::Ready(Err(error)),
                    },
                    Content::Pooled(mut buffer) => {
                        if buffer.capacity() - buffer.len() >= frame.len() {
                            return Poll::Ready(Ok(Some(buffer)));
                        }
                        match buffer.reserve(wanted - buffer.len()) {
                            Ok(()) => return Poll::Ready(Ok(Some(buffer))),
                            Err(AcquireError::Exhausted) => {
                                let growth = buffer.growth(wanted - buffer.len());
                                self.content = Content::Pooled(buffer);
                                if let Some(fit) = growth? {
                                    let root = &self.config.pool.root;
                                    let wait = Wait::join(root, fit.class, fit.size, Place::Front)?;
                                    self.memory = Memory::More(wait, fit);
                                }
                            }
                            Err(error) => return Poll::Ready(Err(error)),
                        }
                    }
                },
            }
        }
    }
}

impl<B> fmt::Debug for Collect<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect")
            .field("arrived", &self.state.content.len())
            .field("waits_for_memory", &self.state.pending.is_some())
            .finish_non_exhaustive()
    }
}
