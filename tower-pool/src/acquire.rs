//! Waiting for memory.

use std::{
    fmt,
    panic::Location,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    buf::PooledBuf,
    depot::{Depot, Place, Wait},
    error::AcquireError,
    pool::{Fit, Pool, Shared},
    raw::block::Block,
};

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
    let fit = pool.root.fit(capacity);
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
    let (lease, block) = Depot::lease_granted(&pool.root, fit.class, fit.size, granted?)?;
    Poll::Ready(match block {
        Some(block) => Ok(PooledBuf::new(lease, fit.class, block, location)),
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
