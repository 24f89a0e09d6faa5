//! What has arrived of a body, and where it is put.
//!
//! | content | when | why |
//! |---|---|---|
//! | `Frame` | one frame so far | it may be all, and is then passed on uncopied |
//! | `Pooled` | frames are small | each is copied at once, and the connection reads into the same memory again |
//! | `Held` | frames are large | each is kept as it came and all are copied at the end |
//!
//! Copying large frames one by one would fill a block over a long time, in turn with those of other
//! connections, so that each is out of the cache when it is written and again when it is read, and as many are out
//! as there are bodies under way. Held frames are copied in one go into the block used last. Their memory is
//! accounted for all the same: a [`Promise`] of the block is charged while they are held, and it is at
//! least as large as they are.

use std::{
    panic::Location,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

use super::{BodyError, BodyPool, PooledBody, collect::after, pooled::Content};
use crate::{
    AcquireError, Pool, PooledBuf,
    acquire::join,
    core::{Core, Place, Refusal, Wait},
    pool::{Fit, Shared},
    promise::Promise,
    raw::block::Block,
};

/// How much larger than what has arrived a buffer may be on the word of `Content-Length`.
const TRUST: usize = 64;

/// Frames of at least so many bytes are held.
const LARGE: usize = 16 << 10;

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

/// Frames as they came, and the place for the block that they will be copied into.
struct HeldFrames {
    // First, so that the frames go before their place does.
    frames: Vec<Bytes>,
    length: usize,
    promise: Promise,
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
            Self::Held(held) => held.length,
            Self::Pooled(buffer) => buffer.len(),
        }
    }
}

impl HeldFrames {
    fn new(promise: Promise, first: Bytes) -> Self {
        Self {
            length: first.len(),
            frames: vec![first],
            promise,
        }
    }

    fn push(&mut self, frame: Bytes) {
        self.length += frame.len();
        self.frames.push(frame);
    }

    /// Copies the frames into the block.
    fn assemble(
        self,
        pool: &Pool,
        location: &'static Location<'static>,
    ) -> Result<PooledBuf, AcquireError> {
        let mut buffer = self.promise.redeem(pool, location)?;
        for frame in self.frames {
            buffer.extend_from_slice(&frame)?;
        }
        Ok(buffer)
    }
}

impl Assembly {
    pub(super) fn new(config: BodyPool, location: &'static Location<'static>) -> Self {
        Self {
            config,
            location,
            content: Arrived::Nothing,
            pending: None,
            trailers: None,
            memory: Memory::Enough,
            receive_by: None,
            waiting_since: None,
        }
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

    /// Copies a small first frame whose successor is late, so that the connection gets its memory back
    /// before it reads on. When there is no memory now, the next frame will wait for it.
    pub(super) fn let_go_of_frame(&mut self) {
        if let Arrived::Frame(first) = &self.content
            && first.len() < LARGE
            && let Ok(mut buffer) = self.config.pool.try_acquire_at(first.len(), self.location)
            && buffer.extend_from_slice(first).is_ok()
        {
            self.content = Arrived::Pooled(buffer);
        }
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
        let large = frame.len() >= LARGE;
        let room = self.poll_room(frame.len(), large, announced, cx);
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

    /// Makes room for a frame of `length` bytes, if it is not the first. Whether the next ones are `large`
    /// chooses between holding them and copying them.
    fn poll_room(
        &mut self,
        length: usize,
        large: bool,
        announced: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AcquireError>> {
        let arrived = self.content.len() + length;
        let wanted = self.wanted(arrived, announced);
        loop {
            match &mut self.memory {
                Memory::First(wait, fit) => {
                    let fit = *fit;
                    let granted = ready!(wait.poll(cx));
                    self.memory = Memory::Enough;
                    self.begin_granted(fit, granted?, large)?;
                }
                Memory::More(wait, fit) => {
                    let fit = *fit;
                    let granted = ready!(wait.poll(cx));
                    self.memory = Memory::Enough;
                    let block = granted?;
                    if let Arrived::Pooled(buffer) = &mut self.content {
                        buffer.count_growth(fit);
                        buffer.move_to(block, fit)?;
                    }
                }
                Memory::Enough => match &mut self.content {
                    Arrived::Nothing => return Poll::Ready(Ok(())),
                    Arrived::Frame(_) => self.begin(wanted, large)?,
                    Arrived::Held(held) if large && arrived <= held.promise.size() => {
                        return Poll::Ready(Ok(()));
                    }
                    Arrived::Held(_) => self.leave_held(wanted, large)?,
                    Arrived::Pooled(buffer) => {
                        if buffer.capacity() - buffer.len() >= length {
                            return Poll::Ready(Ok(()));
                        }
                        let additional = wanted - buffer.len();
                        match buffer.reserve(additional) {
                            Ok(()) => return Poll::Ready(Ok(())),
                            Err(AcquireError::Exhausted) => {
                                if let Some(fit) = buffer.growth(additional)? {
                                    let root = &self.config.pool.root;
                                    let place = Place::Holding(buffer.capacity());
                                    let wait = Wait::join(root, fit.class, fit.size, place)?;
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

    /// There is or will be a second frame: from now on memory is needed, or waited for.
    fn begin(&mut self, wanted: usize, large: bool) -> Result<(), AcquireError> {
        let pool = &self.config.pool;
        let fit = pool.root.fit(wanted);
        let refused = match fit.class {
            Some(class) if large => match Promise::new(pool, class) {
                Ok(promise) => {
                    self.hold(promise);
                    return Ok(());
                }
                Err(refusal) => refusal,
            },
            _ => match pool.try_acquire_at(wanted, self.location) {
                Ok(buffer) => return self.copy_into(buffer),
                Err(AcquireError::Exhausted) => Refusal::Exhausted,
                Err(error) => return Err(error),
            },
        };
        if refused == Refusal::Closed {
            return Err(AcquireError::Closed);
        }
        let (wait, fit) = join(pool, wanted)?;
        self.memory = Memory::First(wait, fit);
        Ok(())
    }

    /// What was waited for by [`Self::begin`] is here: a block, or the right to make one.
    fn begin_granted(
        &mut self,
        fit: Fit,
        granted: Option<Block>,
        large: bool,
    ) -> Result<(), AcquireError> {
        let pool = &self.config.pool;
        let (lease, block) = Core::lease_granted(&pool.root, fit.class, fit.size, granted)?;
        let location = self.location;
        match (block, fit.class) {
            (Some(block), class) => self.copy_into(PooledBuf::new(lease, class, block, location)),
            (None, Some(class)) if large => {
                let promise = Promise::of(pool, lease, class);
                self.hold(promise);
                Ok(())
            }
            (None, _) => {
                let buffer = pool.make(lease, fit, location)?;
                self.copy_into(buffer)
            }
        }
    }

    /// The frames held cannot be joined by the next: it is small, or their block would be.
    fn leave_held(&mut self, wanted: usize, large: bool) -> Result<(), AcquireError> {
        let Arrived::Held(mut held) = std::mem::take(&mut self.content) else {
            return Ok(());
        };
        let pool = &self.config.pool;
        if large
            && let Some(class) = pool.root.fit(wanted).class
            && let Ok(larger) = Promise::new(pool, class)
        {
            held.promise = larger;
            self.content = Arrived::Held(held);
        } else {
            self.content = Arrived::Pooled(held.assemble(&self.config.pool, self.location)?);
        }
        Ok(())
    }

    /// Goes on with frames as they come.
    fn hold(&mut self, promise: Promise) {
        if let Arrived::Frame(first) = std::mem::take(&mut self.content) {
            self.content = Arrived::Held(HeldFrames::new(promise, first));
        }
    }

    /// Goes on in `buffer`.
    fn copy_into(&mut self, mut buffer: PooledBuf) -> Result<(), AcquireError> {
        if let Arrived::Frame(first) = &self.content {
            buffer.extend_from_slice(first)?;
        }
        self.content = Arrived::Pooled(buffer);
        Ok(())
    }
}
