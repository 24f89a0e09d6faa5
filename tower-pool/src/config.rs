//! How a buffer pool is set up.

use std::sync::atomic::AtomicBool;

use crate::{
    depot::{Depot, Setup},
    error::ConfigError,
    leak::{LeakTracking, Tracker},
    lifecycle::Lifecycle,
    pool::{Pool, Shared},
    raw::held::CLASSES,
};

/// 4 KiB, 16 KiB, 64 KiB, 256 KiB and 1 MiB.
pub const DEFAULT_CLASSES: [usize; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// What one thread has at hand of each class, in bytes: 32 buffers up to 16 KiB, and two of 256 KiB.
/// Larger ones are found in the lanes, where using them costs far more than finding them.
const HAND: usize = 512 << 10;

/// Whether a buffer's memory is overwritten when it comes home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wipe {
    /// Leave the bytes. No safe code can read them: a buffer shows only what its owner wrote.
    #[default]
    Never,
    /// Overwrite the whole block with zeros, for secrets that must not linger in memory. Costs a
    /// write pass over the whole block.
    OnRelease,
}

/// Sets up a [`Pool`].
///
/// | setting | default | reason |
/// |---|---|---|
/// | [`classes`](Self::classes) | [`DEFAULT_CLASSES`] | steps of four: at most three quarters of a buffer unused, five lists |
/// | [`limit`](Self::limit) | 256 MiB | bounded, yet far above what most services have in flight |
/// | [`idle_ceiling`](Self::idle_ceiling) | the limit | retention follows demand by itself when maintained |
/// | [`lanes`](Self::lanes) | twice the cores, at least 4 | two threads seldom meet |
/// | [`wipe`](Self::wipe) | [`Wipe::Never`] | nothing can be read anyway |
/// | [`leak_tracking`](Self::leak_tracking) | [`LeakTracking::Off`] | it costs a lock |
#[derive(Debug, Clone)]
#[must_use]
pub struct PoolBuilder {
    classes: Vec<usize>,
    limit: usize,
    idle_ceiling: Option<usize>,
    lanes: Option<usize>,
    wipe: Wipe,
    leak_tracking: LeakTracking,
    prewarm: Vec<(usize, usize)>,
}

impl Default for PoolBuilder {
    fn default() -> Self {
        Self {
            classes: DEFAULT_CLASSES.to_vec(),
            limit: 256 << 20,
            idle_ceiling: None,
            lanes: None,
            wipe: Wipe::default(),
            leak_tracking: LeakTracking::default(),
            prewarm: Vec::new(),
        }
    }
}

impl PoolBuilder {
    /// The sizes of buffers in bytes, rising; at most 127 of them.
    pub fn classes(mut self, sizes: impl IntoIterator<Item = usize>) -> Self {
        self.classes = sizes.into_iter().collect();
        self
    }

    /// The most bytes that the pool's buffers take, idle and in use together.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The most idle bytes kept for later. Each lane keeps at most this much at any time, all lanes
    /// together after each maintenance tick.
    pub fn idle_ceiling(mut self, bytes: usize) -> Self {
        self.idle_ceiling = Some(bytes);
        self
    }

    /// The number of lanes (shards of the free lists), rounded up to a power of two, at most 1024.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// What happens to a buffer's bytes when it comes home.
    pub fn wipe(mut self, wipe: Wipe) -> Self {
        self.wipe = wipe;
        self
    }

    /// Whether [`Pool::close`] can tell where what is still out was acquired.
    pub fn leak_tracking(mut self, tracking: LeakTracking) -> Self {
        self.leak_tracking = tracking;
        self
    }

    /// [`Pool::init`] makes `count` buffers of the class `size` bytes, their pages touched.
    pub fn prewarm(mut self, size: usize, count: usize) -> Self {
        self.prewarm.push((size, count));
        self
    }

    /// Builds the pool.
    ///
    /// # Errors
    /// A [`ConfigError`] when there is no class or more than 127, classes do not rise, the limit is below the largest
    /// class, or buffers of an unknown class were to be made in advance.
    pub fn build(self) -> Result<Pool, ConfigError> {
        let largest = *self.classes.last().ok_or(ConfigError::NoClasses)?;
        if self.classes.len() > CLASSES {
            return Err(ConfigError::TooManyClasses {
                given: self.classes.len(),
                most: CLASSES,
            });
        }
        let mut last = 0;
        for &class in &self.classes {
            if class <= last || class > isize::MAX as usize / 2 {
                return Err(ConfigError::Unordered { class });
            }
            last = class;
        }
        if self.limit < largest {
            return Err(ConfigError::LimitTooSmall {
                limit: self.limit,
                largest,
            });
        }
        let mut prewarm = Vec::with_capacity(self.prewarm.len());
        for (size, count) in self.prewarm {
            let class = self.classes.iter().position(|&class| class == size);
            prewarm.push((class.ok_or(ConfigError::UnknownClass { size })?, count));
        }
        let idle_ceiling = self.idle_ceiling.unwrap_or(self.limit);
        let lanes = self.lanes.unwrap_or_else(default_lanes);
        let classes: Box<[usize]> = self.classes.into();
        Ok(Pool {
            root: Depot::build(
                Setup {
                    lanes,
                    costs: classes.clone(),
                    limit: self.limit,
                    lane_ceiling: idle_ceiling,
                    hand_ceiling: HAND,
                },
                Shared {
                    classes,
                    idle_ceiling,
                    wipe: self.wipe,
                    keeps_account: self.wipe != Wipe::Never
                        || self.leak_tracking == LeakTracking::On,
                    prewarm: prewarm.into(),
                    tracker: (self.leak_tracking == LeakTracking::On).then(Tracker::default),
                    lifecycle: Lifecycle::new(),
                    bursts: AtomicBool::new(false),
                },
            ),
        })
    }
}

/// Twice the cores, at least 4.
pub(crate) fn default_lanes() -> usize {
    let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    (2 * cores).max(4)
}
