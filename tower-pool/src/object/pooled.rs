//! An object that comes home by itself.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use tokio::time::Instant;

use super::{Manage, Plain, Recycle, pool::Objects};
use crate::{depot::Depot, raw::shared::Lease};

/// An object with its times.
pub(super) struct Entry<T> {
    pub(super) object: T,
    pub(super) made: Instant,
    pub(super) idle_since: Instant,
}

/// A place under the pool's limit. Dropping it gives the place up, whatever was to stand there.
pub(super) struct Place<T: Send + 'static, M: Manage<T>>(Option<Lease<Entry<T>, Objects<M>>>);

impl<T: Send + 'static, M: Manage<T>> Place<T, M> {
    pub(super) fn new(lease: Lease<Entry<T>, Objects<M>>) -> Self {
        Self(Some(lease))
    }

    pub(super) fn lease(&self) -> Option<&Lease<Entry<T>, Objects<M>>> {
        self.0.as_ref()
    }

    /// Leaves `entry` to the pool.
    pub(super) fn give(mut self, entry: Entry<T>) {
        if let Some(lease) = self.0.take() {
            Depot::give(lease, 0, entry);
        }
    }
}

impl<T: Send + 'static, M: Manage<T>> Drop for Place<T, M> {
    fn drop(&mut self) {
        if let Some(lease) = self.0.take() {
            Depot::give_nothing(lease, Some(0), 1);
        }
    }
}

/// An object out of an [`ObjectPool`](super::ObjectPool). Dropping it brings the object home.
pub struct PooledObject<T: Send + 'static, M: Manage<T> = Plain<T>> {
    /// Gone only while dropping. Declared first: the object goes before its place.
    inside: Option<(Entry<T>, Place<T, M>)>,
    /// 0 without leak tracking.
    ticket: u64,
}

impl<T: Send + 'static, M: Manage<T>> PooledObject<T, M> {
    pub(super) fn new(entry: Entry<T>, place: Place<T, M>, ticket: u64) -> Self {
        Self {
            inside: Some((entry, place)),
            ticket,
        }
    }

    /// Destroys the object instead of bringing it home: for a connection in an unknown state.
    pub fn discard(mut self) {
        drop(self.leave());
    }

    /// Takes the object out of the pool for good; its place under the limit is free again.
    ///
    /// ```
    /// # use tower_pool::{AcquireError, ObjectPool};
    /// let pool = ObjectPool::plain(Vec::<u8>::new, Vec::clear);
    /// let owned: Vec<u8> = pool.try_acquire()?.detach();
    /// assert_eq!(pool.stats().in_use, 0);
    /// # drop(owned);
    /// # Ok::<(), AcquireError>(())
    /// ```
    #[must_use]
    pub fn detach(mut self) -> T {
        let Some((entry, place)) = self.leave() else {
            unreachable!("the object is inside until it is dropped");
        };
        drop(place);
        entry.object
    }

    /// How long ago the object was made.
    #[must_use]
    pub fn age(&self) -> std::time::Duration {
        self.entry().made.elapsed()
    }

    fn entry(&self) -> &Entry<T> {
        match &self.inside {
            Some((entry, _)) => entry,
            None => unreachable!("the object is inside until it is dropped"),
        }
    }

    fn leave(&mut self) -> Option<(Entry<T>, Place<T, M>)> {
        let inside = self.inside.take()?;
        if self.ticket != 0
            && let Some(lease) = inside.1.lease()
            && let Some(tracker) = &lease.extra.tracker
        {
            tracker.forget(self.ticket);
        }
        Some(inside)
    }
}

impl<T: Send + 'static, M: Manage<T>> Drop for PooledObject<T, M> {
    fn drop(&mut self) {
        // As one value, so that the object goes before its place in every case.
        let Some(mut inside) = self.leave() else {
            return;
        };
        let (entry, place) = &mut inside;
        let Some(lease) = place.lease() else { return };
        let objects = &lease.extra;
        let kept = objects.manager.recycle(&mut entry.object) == Recycle::Keep;
        let now = objects.keeps_time().then(Instant::now);
        if let Some(now) = now {
            entry.idle_since = now;
        }
        if kept && !objects.is_expired(entry, now) {
            let (entry, place) = inside;
            place.give(entry);
        }
    }
}

impl<T: Send + 'static, M: Manage<T>> Deref for PooledObject<T, M> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.entry().object
    }
}

impl<T: Send + 'static, M: Manage<T>> DerefMut for PooledObject<T, M> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.inside {
            Some((entry, _)) => &mut entry.object,
            None => unreachable!("the object is inside until it is dropped"),
        }
    }
}

impl<T: Send + fmt::Debug + 'static, M: Manage<T>> fmt::Debug for PooledObject<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PooledObject").field(&**self).finish()
    }
}
