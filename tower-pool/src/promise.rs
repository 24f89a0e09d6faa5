//! Memory that is charged and not taken yet.

use std::panic::Location;

use crate::{
    buf::PooledBuf,
    depot::{Depot, Refusal},
    error::AcquireError,
    pool::{Fit, Pool, Shared},
    raw::{block::Block, shared::Lease},
};

/// A place under the pool's limit for a block of a class, to be taken when it is needed. Dropping it gives
/// the place up.
pub(crate) struct Promise {
    /// Gone once it is redeemed or dropped.
    lease: Option<Lease<Block, Shared>>,
    class: usize,
    size: usize,
}

impl Promise {
    /// A promise of a block of `class`.
    pub(crate) fn new(pool: &Pool, class: usize) -> Result<Self, Refusal> {
        let lease = Depot::take_place(&pool.root, class)?;
        Ok(Self::of(pool, lease, class))
    }

    /// The promise of a lease that was charged for a block of `class`.
    pub(crate) fn of(pool: &Pool, lease: Lease<Block, Shared>, class: usize) -> Self {
        Self {
            lease: Some(lease),
            class,
            size: pool.root.extra.classes[class],
        }
    }

    /// Bytes of the block promised.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The block: an idle one, which is warm since it was used last, or a new one.
    pub(crate) fn redeem(
        mut self,
        pool: &Pool,
        location: &'static Location<'static>,
    ) -> Result<PooledBuf, AcquireError> {
        let class = self.class;
        if let Some((lease, block)) = Depot::take_idle(&pool.root, class) {
            // The idle block was charged by itself; the promise's own charge goes with its drop.
            return Ok(PooledBuf::new(lease, Some(class), block, location));
        }
        let Some(lease) = self.lease.take() else {
            return Err(AcquireError::Closed);
        };
        lease.count_miss(class);
        let fit = Fit {
            class: Some(class),
            size: self.size,
        };
        pool.make(lease, fit, location)
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            Depot::give_nothing(lease, Some(self.class), self.size);
        }
    }
}
