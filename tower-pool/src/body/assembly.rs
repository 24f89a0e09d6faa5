//! What has arrived of a body, and where it is put.
//!
//! | content | when | why |
//! |---|---|---|
//! | `Frame` | one frame so far | it may be all, and is then passed on uncopied |
//! | `Pooled` | frames are small | each is copied at once, and the connection reads into the same memory again |
//! | `Held` | frames are large, or come in runs | each is kept as it came and all are copied at the end |
//!
//! Small frames come in runs when a connection reads many at once; whether they do is expected of a body when it was
//! so with the last one of the pool, and given up when it is not.
//!
//! Copying frames one by one would fill a block over a long time, in turn with those of other
//! connections, so that each is out of the cache when it is written and again when it is read, and as many are out
//! as there are bodies under way. Held frames are copied in one go into the block used last. Their memory is
//! accounted for all the same: a [`Promise`] of the block is charged while they are held, and it is at
//! least as large as they are.

use std::{
    panic::Location,
    sync::atomic::Ordering,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

mod room;

use super::{
    BodyError, BodyPool, PooledBody,
    held::{HeldFrames, LARGE, Run},
    pooled::Content,
    timer::after,
};
use crate::{
    AcquireError, PooledBuf,
    depot::Wait,
    pool::{Fit, Shared},
    raw::block::Block,
};

/// How much larger than what has arrived a buffer may be on the word of `Content-Length`.
const TRUST: usize = 64;

/// A first frame is held, whatever its size, when at least so much is announced after it: a connection
/// reads little at first, and more when more comes.
const MUCH: usize = 16 * LARGE;

/// What has arrived.
pub(super) struct Assembly {
    pub(super) config: BodyPool,
    /// The line to name as the one that acquired.
    location: &'static Location<'static>,
    content: Arrived,
    /// A frame that there is no room for yet.
    pub(super) pending: Option<Bytes>,
    /// Whether the frame that came last is to be held.
    hold: bool,
    /// Whether runs of small frames are held.
    holds_runs: bool,
    run: Run,
    pub(super) trailers: Option<HeaderMap>,
    memory: Memory,
    /// Set when the sender was first waited for.
    receive_by: Option<Instant>,
    /// Since when memory has been waited for.
    pub(super) waiting_since: Option<Instant>,
}

#[derive(Default)]
enum Arrived {
    #[default]
    Nothing,
    Frame(Bytes),
    Held(HeldFrames),
    Pooled(PooledBuf),
}

/// What is waited for.
enum Memory {
    Enough,
    First(Wait<Block, Shared>, Fit),
    More(Wait<Block, Shared>, Fit),
}

impl Arrived {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Frame(frame) => frame.len(),
            Self::Held(held) => held.len(),
            Self::Pooled(buffer) => buffer.len(),
        }
    }
}

impl Assembly {
    pub(super) fn new(config: BodyPool, location: &'static Location<'static>) -> Self {
        Self {
            holds_runs: config.pool.root.extra.bursts.load(Ordering::Relaxed),
            config,
            location,
            content: Arrived::Nothing,
            pending: None,
            hold: false,
            run: Run::new(),
            trailers: None,
            memory: Memory::Enough,
            receive_by: None,
            waiting_since: None,
        }
    }

    /// Takes a frame that is not empty; there is none that waits for memory.
    pub(super) fn arrive(&mut self, frame: Bytes) {
        self.hold = self.run.add(&frame) && self.holds_runs || frame.len() >= LARGE;
        self.pending = Some(frame);
    }

    /// Bytes that have arrived.
    pub(super) fn arrived(&self) -> usize {
        self.content.len() + self.pending.as_ref().map_or(0, Bytes::len)
    }

    pub(super) fn receive_by(&mut self) -> Instant {
        *self
            .receive_by
            .get_or_insert_with(|| after(Instant::now(), self.config.receive_timeout))
    }

    /// Does not count the time for which memory was waited for against the sender.
    pub(super) fn has_waited(&mut self) {
        if let Some(since) = self.waiting_since.take() {
            let waited = since.elapsed();
            self.receive_by = self.receive_by.map(|by| after(by, waited));
        }
    }

    /// The whole body.
    pub(super) fn finish(&mut self) -> Result<PooledBody, BodyError> {
        if !matches!(self.content, Arrived::Nothing | Arrived::Frame(_)) {
            self.remember();
        }
        let content = match std::mem::take(&mut self.content) {
            Arrived::Nothing => Content::Empty,
            Arrived::Frame(frame) => Content::Frame(frame),
            Arrived::Held(held) => {
                Content::Pooled(held.assemble(&self.config.pool, self.location)?)
            }
            Arrived::Pooled(buffer) => Content::Pooled(buffer),
        };
        Ok(PooledBody::new(content, self.trailers.take()))
    }

    /// Gives all memory back, and says how many bytes the limit leaves.
    pub(super) fn let_go(&mut self) -> usize {
        self.has_waited();
        let rest = self.config.limit - self.arrived();
        self.content = Arrived::Nothing;
        self.pending = None;
        self.memory = Memory::Enough;
        rest
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

    /// Lets the next body of the pool be treated as this one should have been.
    fn remember(&self) {
        let bursts = &self.config.pool.root.extra.bursts;
        let burst = self.run.was_burst();
        if burst != bursts.load(Ordering::Relaxed) {
            bursts.store(burst, Ordering::Relaxed);
        }
    }

    /// There is no frame now. Copies small frames whose successor is late, so that the connection gets its memory
    /// back before it reads on. When there is no memory now, the next frame will wait for it.
    pub(super) fn pause(&mut self) -> Result<(), AcquireError> {
        self.run.pause();
        let late = !self.holds_runs || self.run.is_late();
        match &self.content {
            Arrived::Frame(first) if late && first.len() < LARGE => {
                if let Ok(mut buffer) = self.config.pool.try_acquire_at(first.len(), self.location)
                    && buffer.extend_from_slice(first).is_ok()
                {
                    self.content = Arrived::Pooled(buffer);
                }
            }
            Arrived::Held(_) if self.holds_runs && late && !self.run.is_long() => {
                self.stop_holding()?
            }
            _ => {}
        }
        Ok(())
    }

    /// Gets memory for what has arrived, and for what is `announced` to follow: as long as there is none,
    /// nothing more should be read.
    pub(super) fn poll_memory(
        &mut self,
        announced: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BodyError>> {
        if let Some(frame) = self.pending.take() {
            ready!(self.store(frame, announced, cx))?;
        }
        if announced > 0
            && let Arrived::Frame(first) = &self.content
        {
            let large = first.len() >= LARGE || announced >= MUCH;
            let room = self.poll_room(0, large, announced, cx);
            if room.is_pending() {
                self.let_go_while_waiting();
            }
            return room.map_err(BodyError::from);
        }
        Poll::Ready(Ok(()))
    }

    /// Adds `frame`; keeps it in `pending` while there is no memory for it.
    fn store(
        &mut self,
        frame: Bytes,
        announced: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BodyError>> {
        let room = self.poll_room(frame.len(), self.hold, announced, cx);
        if room.is_pending() {
            self.pending = Some(frame);
            self.let_go_while_waiting();
            return Poll::Pending;
        }
        let stored = ready!(room).and_then(|()| match &mut self.content {
            Arrived::Held(held) => {
                held.push(frame);
                Ok(())
            }
            Arrived::Pooled(buffer) => buffer.extend_from_slice(&frame),
            nothing => {
                *nothing = Arrived::Frame(frame);
                Ok(())
            }
        });
        Poll::Ready(stored.map_err(BodyError::from))
    }

    /// Copies small frames that must wait for memory into memory of just their size: each is a slice of
    /// the buffer that the connection read into, which is larger and would be kept from use. Once for each
    /// wait.
    fn let_go_while_waiting(&mut self) {
        if self.waiting_since.is_some() {
            return;
        }
        let first = match &mut self.content {
            Arrived::Frame(first) => Some(first),
            _ => None,
        };
        for frame in [first, self.pending.as_mut()].into_iter().flatten() {
            if frame.len() < LARGE {
                *frame = Bytes::copy_from_slice(frame);
            }
        }
    }
}
