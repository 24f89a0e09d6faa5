//! Waiting for memory.

use std::{
    fmt,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use crate::{
    buf::PooledBuf,
    core::{Core, Extra, Place, Refusal, Waiter},
    error::AcquireError,
    pool::{Fit, Pool, Shared},
    raw::{block::Block, shared::Root},
};

/// A place in the queue of a core. Dropping it gives the place, or what was granted, to the next.
pub(crate) struct Wait<T, X: Extra> {
    root: Root<T, X>,
    waiter: Option<Arc<Waiter<T>>>,
}

impl<T, X: Extra> Wait<T, X> {
    pub(crate) fn join(
        root: &Root<T, X>,
        class: Option<usize>,
        cost: usize,
        place: Place,
    ) -> Result<Self, Refusal> {
        let waiter = root.enqueue(class, cost, place)?;
        Ok(Self {
            root: root.clone(),
            waiter: Some(waiter),
        })
    }

    /// What was granted: an idle item, or the right to make one. Not to be polled again after that.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, Refusal>> {
        let Some(waiter) = &self.waiter else {
            return Poll::Ready(Err(Refusal::Closed));
        };
        match self.root.poll_waiter(waiter, cx.waker()) {
            Some(granted) => {
                self.waiter = None;
                Poll::Ready(granted)
            }
            None => Poll::Pending,
        }
    }
}

impl<T, X: Extra> Drop for Wait<T, X> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.root.abandon(&waiter);
        }
    }
}

/// The future of [`Pool::acquire`].
#[must_use = "futures do nothing unless polled"]
pub struct Acquire<'a> {
    pool: &'a Pool,
    capacity: usize,
    location: &'static Location<'static>,
    wait: Option<(Wait<Block, Shared>, Fit)>,
}

impl<'a> Acquire<'a> {
    pub(crate) fn new(
        pool: &'a Pool,
        capacity: usize,
        location: &'static Location<'static>,
    ) -> Self {
        Self {
            pool,
            capacity,
            location,
            wait: None,
        }
    }
}

impl Future for Acquire<'_> {
    type Output = Result<PooledBuf, AcquireError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.wait.is_none() {
            match this.pool.try_acquire_at(this.capacity, this.location) {
                Err(AcquireError::Exhausted) => {}
                done => return Poll::Ready(done),
            }
            this.wait = Some(join(this.pool, this.capacity)?);
        }
        poll_join(this.pool, &mut this.wait, this.location, cx)
    }
}

/// Queues for a buffer of `capacity` bytes.
pub(crate) fn join(
    pool: &Pool,
    capacity: usize,
) -> Result<(Wait<Block, Shared>, Fit), AcquireError> {
    let fit = pool.root.extra.fit(capacity);
    pool.check_size(capacity, fit)?;
    Ok((
        Wait::join(&pool.root, fit.class, fit.size, Place::Back)?,
        fit,
    ))
}

/// Polls a place in the queue, and turns the grant into a buffer.
pub(crate) fn poll_join(
    pool: &Pool,
    wait: &mut Option<(Wait<Block, Shared>, Fit)>,
    location: &'static Location<'static>,
    cx: &mut Context<'_>,
) -> Poll<Result<PooledBuf, AcquireError>> {
    let Some((place, fit)) = wait else {
        return Poll::Ready(Err(AcquireError::Closed));
    };
    let fit = *fit;
    let granted = ready!(place.poll(cx));
    *wait = None;
    let (lease, block) = Core::lease_granted(&pool.root, fit.class, fit.size, granted?)?;
    Poll::Ready(match block {
        Some(block) => Ok(PooledBuf::new(lease, block, fit, location)),
        None => pool.make(lease, fit, location),
    })
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("capacity", &self.capacity)
            .field("waiting", &self.wait.is_some())
            .finish_non_exhaustive()
    }
}
