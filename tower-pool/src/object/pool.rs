//! The pool of objects.

use std::{error::Error, fmt, future::Future, panic::Location, time::Duration};

use tokio::time::Instant;

use super::{
    Manage, ObjectPoolBuilder, Plain, PooledObject,
    pooled::{Entry, Place},
};
use crate::{
    depot::{self, Depot, Extra, Refusal, Wait},
    error::{AcquireError, CloseError, Leak},
    leak::Tracker,
    lifecycle::{Lifecycle, State},
    raw::shared::Root,
};

/// A pool of `T`s that `M` makes and judges. A cheap handle: clones share it. See the
/// [module](super).
///
/// Objects may be dropped on any thread and may outlive every handle.
pub struct ObjectPool<T: Send + 'static, M: Manage<T> = Plain<T>> {
    root: Root<Entry<T>, Objects<M>>,
}

/// What a pool of objects adds to the depot.
pub(super) struct Objects<M> {
    pub(super) manager: M,
    pub(super) max_idle: Option<Duration>,
    pub(super) max_age: Option<Duration>,
    pub(super) prewarm: usize,
    pub(super) tracker: Option<Tracker>,
    pub(super) lifecycle: Lifecycle,
}

impl<T, M: Send + Sync> Extra<T> for Objects<M> {
    fn came_home(&self) {
        self.lifecycle.came_home();
    }
}

impl<M> Objects<M> {
    /// Whether times matter at all.
    pub(super) fn keeps_time(&self) -> bool {
        self.max_idle.is_some() || self.max_age.is_some()
    }

    /// Whether `entry` is too old, or has lain idle too long, at `now`.
    pub(super) fn is_expired<T>(&self, entry: &Entry<T>, now: Option<Instant>) -> bool {
        let Some(now) = now else { return false };
        self.max_age
            .is_some_and(|most| now.saturating_duration_since(entry.made) > most)
            || self
                .max_idle
                .is_some_and(|most| now.saturating_duration_since(entry.idle_since) > most)
    }
}

impl<T: Send + 'static> ObjectPool<T> {
    /// A pool of things made by `make` and cleaned by `clean`, with every default of
    /// [`ObjectPoolBuilder`].
    #[must_use]
    pub fn plain(
        make: impl Fn() -> T + Send + Sync + 'static,
        clean: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Self {
        Self::builder(Plain::new(make, clean)).at_hand(16).build()
    }

    /// An object, now.
    ///
    /// # Errors
    /// [`AcquireError::Closed`], and [`Exhausted`](AcquireError::Exhausted) when the limit is reached
    /// or others wait already.
    #[track_caller]
    pub fn try_acquire(&self) -> Result<PooledObject<T>, AcquireError> {
        let location = Location::caller();
        let (lease, found) = Depot::take(&self.root, 0)?;
        let mut place = Place::new(lease);
        let now = self.now();
        let mut found = found;
        while let Some(entry) = found.take() {
            if !self.root.extra.is_expired(&entry, now) {
                return Ok(self.hand_out(entry, place, location));
            }
            drop(entry);
            found = self.root.replace(0);
        }
        let object = self.root.extra.manager.make();
        self.activate();
        place = self.confirm(place)?;
        Ok(self.hand_out(Entry::new(object), place, location))
    }
}

impl<T> Entry<T> {
    fn new(object: T) -> Self {
        let now = Instant::now();
        Self {
            object,
            made: now,
            idle_since: now,
        }
    }
}

impl<T: Send + 'static, M: Manage<T>> ObjectPool<T, M> {
    /// Sets up a pool of what `manager` makes.
    pub fn builder(manager: M) -> ObjectPoolBuilder<T, M> {
        ObjectPoolBuilder::new(manager)
    }

    pub(super) fn over(root: Root<Entry<T>, Objects<M>>) -> Self {
        Self { root }
    }

    /// The manager.
    #[must_use]
    pub fn manager(&self) -> &M {
        &self.root.extra.manager
    }

    /// An object: an idle one that is neither too old nor judged bad, or a new one. At the limit it
    /// waits, in the order of arrival, for one to come home.
    ///
    /// # Errors
    /// [`ObjectError::Acquire`] with [`AcquireError::Closed`], or [`ObjectError::Create`].
    ///
    /// # Cancellation
    /// Dropping the future leaves the queue, or destroys the object that is being made or judged; its
    /// place goes to the next.
    #[track_caller]
    pub fn acquire(
        &self,
    ) -> impl Future<Output = Result<PooledObject<T, M>, ObjectError<M::Error>>> + Send + '_ {
        self.acquire_at(Location::caller())
    }

    /// As [`Self::acquire`], taking at most `wait` for all of it, creation included.
    ///
    /// # Errors
    /// As [`Self::acquire`], and [`AcquireError::Timeout`].
    #[track_caller]
    pub fn acquire_timeout(
        &self,
        wait: Duration,
    ) -> impl Future<Output = Result<PooledObject<T, M>, ObjectError<M::Error>>> + Send + '_ {
        let acquire = self.acquire_at(Location::caller());
        async move {
            tokio::time::timeout(wait, acquire)
                .await
                .unwrap_or(Err(ObjectError::Acquire(AcquireError::Timeout)))
        }
    }

    async fn acquire_at(
        &self,
        location: &'static Location<'static>,
    ) -> Result<PooledObject<T, M>, ObjectError<M::Error>> {
        let (place, mut found) = self.enter().await?;
        while let Some(mut entry) = found.take() {
            let expired = self.root.extra.is_expired(&entry, self.now());
            if !expired && self.manager().validate(&mut entry.object).await {
                return Ok(self.hand_out(entry, place, location));
            }
            drop(entry);
            found = self.root.replace(0);
        }
        self.activate();
        let object = self.manager().create().await.map_err(ObjectError::Create)?;
        let place = self.confirm(place)?;
        Ok(self.hand_out(Entry::new(object), place, location))
    }

    /// A place under the limit, with an idle object if there is one.
    async fn enter(&self) -> Result<(Place<T, M>, Option<Entry<T>>), AcquireError> {
        let (lease, found) = match Depot::take(&self.root, 0) {
            Err(Refusal::Exhausted) => {
                let mut wait = Wait::join(&self.root, Some(0), 1, depot::Place::Back)?;
                let granted = std::future::poll_fn(|cx| wait.poll(cx)).await?;
                Depot::lease_granted(&self.root, Some(0), 1, granted)?
            }
            taken => taken?,
        };
        Ok((Place::new(lease), found))
    }

    /// The place of an object that took time to make, unless the pool was closed meanwhile.
    fn confirm(&self, place: Place<T, M>) -> Result<Place<T, M>, AcquireError> {
        if self.root.is_closed() {
            return Err(AcquireError::Closed);
        }
        Ok(place)
    }

    fn hand_out(
        &self,
        entry: Entry<T>,
        place: Place<T, M>,
        location: &'static Location<'static>,
    ) -> PooledObject<T, M> {
        let tracker = self.root.extra.tracker.as_ref();
        PooledObject::new(
            entry,
            place,
            tracker.map_or(0, |tracker| tracker.note(location)),
        )
    }

    fn activate(&self) {
        self.root.extra.lifecycle.activate();
    }

    /// The time, when times matter.
    fn now(&self) -> Option<Instant> {
        self.root.extra.keeps_time().then(Instant::now)
    }

    /// Makes the objects that [`ObjectPoolBuilder::prewarm`] asked for, one after another, and moves
    /// the pool to [`State::Active`]. Returns how many were made: fewer than asked for at the limit.
    /// The second call does nothing, nor does one after the first acquisition, which activates too.
    ///
    /// # Errors
    /// What [`Manage::create`] failed with; what was made before stays.
    ///
    /// # Cancellation
    /// What was made so far stays.
    pub async fn init(&self) -> Result<usize, ObjectError<M::Error>> {
        if !self.root.extra.lifecycle.activate() {
            return Ok(0);
        }
        for made in 0..self.root.extra.prewarm {
            let Ok(lease) = Depot::take_place(&self.root, 0) else {
                return Ok(made);
            };
            let place = Place::new(lease);
            let object = self.manager().create().await.map_err(ObjectError::Create)?;
            place.give(Entry::new(object));
        }
        Ok(self.root.extra.prewarm)
    }

    /// Destroys the idle objects that are too old or have lain idle too long. Returns how many.
    pub fn evict_expired(&self) -> usize {
        let Some(now) = self.now() else { return 0 };
        self.root
            .evict(0, |entry| self.root.extra.is_expired(entry, Some(now)))
    }

    /// Calls [`Self::evict_expired`] once an `interval` (at least a millisecond) until the pool is
    /// closed. Without it an object that expired lies idle until somebody meets it.
    ///
    /// # Cancellation
    /// May be dropped at any time; between ticks nothing is held.
    pub async fn maintain(self, interval: Duration) {
        let interval = interval.max(Duration::from_millis(1));
        while self.state() < State::Closing {
            tokio::time::sleep(interval).await;
            self.evict_expired();
        }
    }

    /// Destroys every idle object. Returns how many.
    pub fn trim_all(&self) -> usize {
        self.root.trim(0, usize::MAX)
    }

    /// Refuses new acquisitions, fails those who wait, destroys what is idle, and waits until every
    /// object has come home or `deadline` has passed. May be called again to wait on.
    ///
    /// # Errors
    /// A [`CloseError`] that says how many are still out, and where they were acquired when leak
    /// tracking is on. The pool stays in [`State::Closing`]; objects may still come home.
    ///
    /// # Cancellation
    /// The pool is closed from the first poll on; dropping the future only stops the waiting.
    pub async fn close(&self, deadline: Duration) -> Result<(), CloseError> {
        self.root
            .extra
            .lifecycle
            .close(&self.root, deadline, || self.leaks())
            .await
    }

    /// What is out and where it was acquired, the oldest first; empty unless leak tracking is on.
    #[must_use]
    pub fn leaks(&self) -> Vec<Leak> {
        let tracker = self.root.extra.tracker.as_ref();
        tracker.map(Tracker::leaks).unwrap_or_default()
    }

    /// Where the pool is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.root.extra.lifecycle.state()
    }

    /// The pool's figures, gathered now. Nothing is collected for it otherwise.
    #[must_use]
    pub fn stats(&self) -> ObjectStats {
        let totals = self.root.totals();
        let class = totals.classes[0];
        ObjectStats {
            idle: class.idle,
            in_use: totals.leases,
            hits: class.hits,
            misses: class.misses,
            waiting: self.root.waiting(),
            waits: totals.waits,
            trims: totals.trims,
            limit: self.root.limit(),
        }
    }
}

impl<T: Send + 'static, M: Manage<T>> Clone for ObjectPool<T, M> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
        }
    }
}

impl<T: Send + 'static, M: Manage<T>> fmt::Debug for ObjectPool<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectPool")
            .field("state", &self.state())
            .field("stats", &self.stats())
            .finish()
    }
}

/// The figures of a pool of objects at one moment. Threads are read one after another, so that under
/// traffic the sums are off by what moved meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectStats {
    /// Objects kept for later.
    pub idle: usize,
    /// Objects out, and those being made.
    pub in_use: usize,
    /// Acquisitions that found an idle object, whatever became of it, since the pool was built.
    pub hits: u64,
    /// Acquisitions that found none.
    pub misses: u64,
    /// Acquisitions that wait.
    pub waiting: usize,
    /// Acquisitions that have had to wait since the pool was built.
    pub waits: u64,
    /// Idle objects given up since the pool was built, because they were too old or by
    /// [`ObjectPool::trim_all`].
    pub trims: u64,
    /// The most objects that exist.
    pub limit: usize,
}

/// Why no object could be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectError<E> {
    /// The pool refused.
    Acquire(AcquireError),
    /// The manager could not make one.
    Create(E),
}

impl<E> From<AcquireError> for ObjectError<E> {
    fn from(error: AcquireError) -> Self {
        Self::Acquire(error)
    }
}

impl<E> fmt::Display for ObjectError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acquire(error) => error.fmt(f),
            Self::Create(_) => f.write_str("a new object for the pool could not be made"),
        }
    }
}

impl<E: Error + 'static> Error for ObjectError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Acquire(error) => error.source(),
            Self::Create(error) => Some(error),
        }
    }
}
