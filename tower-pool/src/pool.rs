//! The buffer pool.

use std::{
    fmt,
    panic::Location,
    sync::{OnceLock, atomic::AtomicBool},
    time::Duration,
};

use crate::{
    acquire::Acquire,
    buf::PooledBuf,
    config::{PoolBuilder, Wipe},
    depot::{Depot, Extra, Refusal},
    error::{AcquireError, CloseError, Leak},
    leak::Tracker,
    lifecycle::{Lifecycle, State},
    raw::{
        block::Block,
        shared::{Lease, Root},
    },
    stats::{ClassStats, Stats},
};

/// A pool of byte buffers with a limit on the memory they take. A cheap handle: clones share it.
///
/// Each thread has a few idle buffers at hand: taking one of them, or leaving one there, is a handful of
/// plain loads and stores, without an atomic read-modify-write. Behind that are sharded lists, reached by
/// one uncontended atomic exchange for several buffers. Neither allocates. A miss allocates one block (and
/// 48 bytes for its particulars) and charges the block against the limit. Buffers may be dropped on any
/// thread, and may outlive every handle.
///
/// ```
/// # use tower_pool::{Pool, State};
/// let pool = Pool::builder().limit(8 << 20).prewarm(16 << 10, 4).build()?;
/// pool.init();
/// let mut buffer = pool.try_acquire(10_000)?;
/// assert_eq!(buffer.capacity(), 16 << 10);
/// buffer.extend_from_slice(b"hello")?;
/// let frozen = buffer.freeze();
/// assert_eq!(&frozen[..], b"hello");
/// assert_eq!(pool.stats().in_use, 1);
/// drop(frozen);
/// assert_eq!(pool.stats().in_use, 0);
/// assert_eq!(pool.state(), State::Active);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Pool {
    pub(crate) root: Root<Block, Shared>,
}

static GLOBAL: OnceLock<Pool> = OnceLock::new();

/// What a buffer pool adds to the depot.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) classes: Box<[usize]>,
    pub(crate) idle_ceiling: usize,
    pub(crate) wipe: Wipe,
    /// Whether anything is to be done for a block that comes home but to forget its contents.
    pub(crate) keeps_account: bool,
    pub(crate) prewarm: Box<[(usize, usize)]>,
    pub(crate) tracker: Option<Tracker>,
    pub(crate) lifecycle: Lifecycle,
    /// Whether the last body in pieces came in runs of small frames.
    pub(crate) bursts: AtomicBool,
}

impl Extra<Block> for Shared {
    fn came_home(&self) {
        self.lifecycle.came_home();
    }

    /// Freed alone, the pages would often stay in the allocator's heap.
    fn give_up(&self, mut block: Block) {
        block.release_pages();
    }
}

/// A class, or a size beyond the largest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    pub(crate) class: Option<usize>,
    pub(crate) size: usize,
}

impl Depot<Block, Shared> {
    /// The smallest class that holds `capacity` bytes; beyond the largest class whole multiples of
    /// it, or what the limit leaves of one, unpooled.
    #[inline]
    pub(crate) fn fit(&self, capacity: usize) -> Fit {
        let classes = &self.extra.classes;
        if let Some(class) = classes.iter().position(|&size| capacity <= size) {
            return Fit {
                class: Some(class),
                size: classes[class],
            };
        }
        let multiple = capacity.checked_next_multiple_of(classes[classes.len() - 1]);
        Fit {
            class: None,
            size: multiple
                .unwrap_or(usize::MAX)
                .min(self.limit().max(capacity)),
        }
    }
}

impl Shared {
    /// Overwrites a block that comes home, where that is asked for.
    pub(crate) fn clean(&self, block: &mut Block) {
        if self.wipe == Wipe::OnRelease {
            block.zero();
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl Pool {
    /// A pool with every default of [`PoolBuilder`].
    #[must_use]
    pub fn new() -> Self {
        match Self::builder().build() {
            Ok(pool) => pool,
            Err(error) => unreachable!("the defaults are valid: {error}"),
        }
    }

    /// Sets up a pool.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// The process's pool: what responses use that are made without a pool at hand. The first call
    /// makes it with [`Self::new`], unless [`Self::set_global`] chose one before.
    pub fn global() -> &'static Self {
        GLOBAL.get_or_init(Self::new)
    }

    /// Chooses the process's pool.
    ///
    /// # Errors
    /// Gives `pool` back when there is one already.
    pub fn set_global(pool: Self) -> Result<(), Self> {
        GLOBAL.set(pool)
    }

    /// Makes the buffers that [`PoolBuilder::prewarm`] asked for, their pages touched, and moves the
    /// pool to [`State::Active`]. Returns how many were made: fewer than asked for at the limit. The
    /// second call does nothing, nor does one after the first acquisition, which activates too.
    pub fn init(&self) -> usize {
        if !self.root.extra.lifecycle.activate() {
            return 0;
        }
        let mut made = 0;
        for &(class, count) in &self.root.extra.prewarm {
            let size = self.root.extra.classes[class];
            for number in 0..count {
                let stocked = self.root.stock(class, number, || {
                    let mut block = Block::new(size)?;
                    block.zero();
                    Some(block)
                });
                made += usize::from(stocked);
            }
        }
        made
    }

    /// A buffer of at least `capacity` bytes, now.
    ///
    /// # Errors
    /// [`AcquireError::Closed`], [`Exhausted`](AcquireError::Exhausted) when the limit is reached or
    /// others wait already, [`TooLarge`](AcquireError::TooLarge) when `capacity` can never be had, and
    /// [`OutOfMemory`](AcquireError::OutOfMemory).
    #[inline]
    #[track_caller]
    pub fn try_acquire(&self, capacity: usize) -> Result<PooledBuf, AcquireError> {
        self.try_acquire_at(capacity, Location::caller())
    }

    #[inline]
    pub(crate) fn try_acquire_at(
        &self,
        capacity: usize,
        location: &'static Location<'static>,
    ) -> Result<PooledBuf, AcquireError> {
        let classes = &self.root.extra.classes;
        if let Some(class) = classes.iter().position(|&size| capacity <= size)
            && let Some((lease, block)) = self.root.take_at_hand(class)
        {
            return Ok(PooledBuf::new(lease, Some(class), block, location));
        }
        self.try_acquire_slowly(capacity, location)
    }

    #[cold]
    #[inline(never)]
    fn try_acquire_slowly(
        &self,
        capacity: usize,
        location: &'static Location<'static>,
    ) -> Result<PooledBuf, AcquireError> {
        let fit = self.root.fit(capacity);
        let (lease, block) = match fit.class {
            Some(class) => Depot::take(&self.root, class)?,
            None => {
                self.check_size(capacity, fit)?;
                (Depot::take_unclassed(&self.root, fit.size)?, None)
            }
        };
        match block {
            Some(block) => Ok(PooledBuf::new(lease, fit.class, block, location)),
            None => self.make(lease, fit, location),
        }
    }

    /// As [`Self::try_acquire`], and ahead of those who wait: a response lets go of what its request holds.
    pub(crate) fn try_acquire_ahead(
        &self,
        capacity: usize,
        location: &'static Location<'static>,
    ) -> Result<PooledBuf, AcquireError> {
        let fit = self.root.fit(capacity);
        match (self.try_acquire_at(capacity, location), fit.class) {
            (Err(AcquireError::Exhausted), Some(class)) => {
                let (lease, block) = Depot::take_ahead(&self.root, class)?;
                match block {
                    Some(block) => Ok(PooledBuf::new(lease, fit.class, block, location)),
                    None => self.make(lease, fit, location),
                }
            }
            (done, _) => done,
        }
    }

    pub(crate) fn check_size(&self, requested: usize, fit: Fit) -> Result<(), AcquireError> {
        let limit = self.root.limit();
        if fit.size > limit {
            Err(AcquireError::TooLarge { requested, limit })
        } else {
            Ok(())
        }
    }

    /// Allocates the block of a lease that was charged for it.
    #[cold]
    pub(crate) fn make(
        &self,
        lease: Lease<Block, Shared>,
        fit: Fit,
        location: &'static Location<'static>,
    ) -> Result<PooledBuf, AcquireError> {
        self.root.extra.lifecycle.activate();
        match Block::new(fit.size) {
            Some(block) => Ok(PooledBuf::new(lease, fit.class, block, location)),
            None => {
                Depot::give_nothing(lease, fit.class, fit.size);
                Err(AcquireError::OutOfMemory)
            }
        }
    }

    /// A buffer of at least `capacity` bytes, waiting for one to come home when the limit is reached.
    /// Waiters are served in the order of arrival.
    ///
    /// # Errors
    /// As [`Self::try_acquire`], except that it does not fail with `Exhausted`.
    ///
    /// # Cancellation
    /// Dropping the future leaves the queue; a buffer that was already on its way goes to the next.
    #[track_caller]
    pub fn acquire(&self, capacity: usize) -> Acquire<'_> {
        Acquire::new(self, capacity, Location::caller())
    }

    /// As [`Self::acquire`], waiting for at most `wait`.
    ///
    /// # Errors
    /// As [`Self::acquire`], and [`AcquireError::Timeout`].
    #[track_caller]
    pub fn acquire_timeout(
        &self,
        capacity: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<PooledBuf, AcquireError>> + Send + '_ {
        let acquire = self.acquire(capacity);
        async move {
            tokio::time::timeout(wait, acquire)
                .await
                .unwrap_or(Err(AcquireError::Timeout))
        }
    }

    /// Refuses new acquisitions, fails those who wait, frees what is idle, and waits until every
    /// buffer has come home or `deadline` has passed. May be called again to wait on.
    ///
    /// # Errors
    /// A [`CloseError`] that says how many are still out, and where they were acquired when leak
    /// tracking is on. The pool stays in [`State::Closing`]; buffers may still come home.
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
        self.root
            .extra
            .tracker
            .as_ref()
            .map(Tracker::leaks)
            .unwrap_or_default()
    }

    /// Where the pool is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.root.extra.lifecycle.state()
    }

    /// The pool's figures, gathered from the lanes now. Nothing is collected for it otherwise.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let totals = self.root.totals();
        let sizes = self.root.extra.classes.iter();
        let classes = sizes.zip(totals.classes).map(|(&size, total)| ClassStats {
            size,
            idle: total.idle,
            in_use: total.in_use,
            hits: total.hits,
            misses: total.misses,
        });
        Stats {
            classes: classes.collect(),
            in_use: totals.leases,
            allocated: self.root.used(),
            limit: self.root.limit(),
            waiting: self.root.waiting(),
            waits: totals.waits,
            trims: totals.trims,
            trimmed: totals.trimmed,
        }
    }

    /// The largest size class in bytes.
    pub(crate) fn largest_class(&self) -> usize {
        let classes = &self.root.extra.classes;
        classes[classes.len() - 1]
    }

    /// Frees every idle buffer and gives its pages back to the kernel. Returns the bytes freed.
    pub fn trim_all(&self) -> usize {
        (0..self.root.extra.classes.len())
            .map(|class| self.trim_class(class, usize::MAX))
            .sum()
    }

    /// Frees up to `count` idle buffers of `class` and returns the bytes.
    pub(crate) fn trim_class(&self, class: usize, count: usize) -> usize {
        let freed = self.root.trim(class, count);
        freed * self.root.extra.classes[class]
    }
}

impl From<Refusal> for AcquireError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Closed => Self::Closed,
            Refusal::Exhausted => Self::Exhausted,
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("state", &self.state())
            .field("stats", &self.stats())
            .finish()
    }
}
