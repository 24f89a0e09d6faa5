//! Memory for the second frame of a body and all after it: at once, or when others give theirs back.

use std::task::{Context, Poll, ready};

use super::{super::held::HeldFrames, Arrived, Assembly, Memory};
use crate::{
    AcquireError, PooledBuf,
    acquire::join,
    depot::{Depot, Place, Refusal, Wait},
    pool::Fit,
    promise::Promise,
    raw::block::Block,
};

impl Assembly {
    /// Makes room for a frame of `length` bytes, if it is not the first. Whether the next ones are `large`
    /// chooses between holding them and copying them.
    pub(super) fn poll_room(
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
        let (lease, block) = Depot::lease_granted(&pool.root, fit.class, fit.size, granted)?;
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
        let pool = &self.config.pool;
        if large
            && let Arrived::Held(held) = &mut self.content
            && let Some(class) = pool.root.fit(wanted).class
            && let Ok(larger) = Promise::new(pool, class)
        {
            held.promise = larger;
            return Ok(());
        }
        self.stop_holding()
    }

    /// Copies the frames held, and goes on by copying.
    pub(super) fn stop_holding(&mut self) -> Result<(), AcquireError> {
        match std::mem::take(&mut self.content) {
            Arrived::Held(held) => {
                let buffer = held.assemble(&self.config.pool, self.location)?;
                self.content = Arrived::Pooled(buffer);
            }
            other => self.content = other,
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
