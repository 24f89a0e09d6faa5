//! How a pool of objects is set up.

use std::{marker::PhantomData, time::Duration};

use super::{Manage, ObjectPool, pool::Objects};
use crate::{
    config::default_lanes,
    depot::{Depot, Setup},
    leak::{LeakTracking, Tracker},
    lifecycle::Lifecycle,
};

/// Sets up an [`ObjectPool`].
///
/// | setting | default | reason |
/// |---|---|---|
/// | [`limit`](Self::limit) | 256 | bounded, yet more than most services have connections to one upstream |
/// | [`idle_ceiling`](Self::idle_ceiling) | the limit | [`max_idle`](Self::max_idle) lets go of what is not needed |
/// | [`max_idle`](Self::max_idle) | none | plain things do not go bad |
/// | [`max_age`](Self::max_age) | none | as above |
/// | [`prewarm`](Self::prewarm) | 0 | nothing is made before it is asked for |
/// | [`lanes`](Self::lanes) | twice the cores, at least 4 | two threads seldom meet |
/// | [`at_hand`](Self::at_hand) | 0; 16 with [`ObjectPool::plain`] | connections are for all threads |
/// | [`leak_tracking`](Self::leak_tracking) | [`LeakTracking::Off`] | it costs a lock |
#[derive(Debug)]
#[must_use]
pub struct ObjectPoolBuilder<T, M> {
    manager: M,
    limit: usize,
    idle_ceiling: Option<usize>,
    max_idle: Option<Duration>,
    max_age: Option<Duration>,
    prewarm: usize,
    lanes: Option<usize>,
    at_hand: usize,
    leak_tracking: LeakTracking,
    kind: PhantomData<fn() -> T>,
}

impl<T: Send + 'static, M: Manage<T>> ObjectPoolBuilder<T, M> {
    pub(super) fn new(manager: M) -> Self {
        Self {
            manager,
            limit: 256,
            idle_ceiling: None,
            max_idle: None,
            max_age: None,
            prewarm: 0,
            lanes: None,
            at_hand: 0,
            leak_tracking: LeakTracking::default(),
            kind: PhantomData,
        }
    }

    /// The most objects that exist, idle and out together; at least 1.
    pub fn limit(mut self, objects: usize) -> Self {
        self.limit = objects.max(1);
        self
    }

    /// The most idle objects that one lane keeps for later. 0 keeps none.
    pub fn idle_ceiling(mut self, objects: usize) -> Self {
        self.idle_ceiling = Some(objects);
        self
    }

    /// The longest that an object may lie idle and still be handed out.
    pub fn max_idle(mut self, time: Duration) -> Self {
        self.max_idle = Some(time);
        self
    }

    /// The longest that an object may exist and still be handed out or kept.
    pub fn max_age(mut self, time: Duration) -> Self {
        self.max_age = Some(time);
        self
    }

    /// [`ObjectPool::init`] makes so many objects.
    pub fn prewarm(mut self, objects: usize) -> Self {
        self.prewarm = objects;
        self
    }

    /// The number of lanes (shards of the idle objects), rounded up to a power of two, at most 1024.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// The most idle objects that each thread has at hand, of at most 32 and a quarter of
    /// [`idle_ceiling`](Self::idle_ceiling): found fastest, but by other threads only when the limit is
    /// reached. For things that are cheap to make; not for connections.
    pub fn at_hand(mut self, objects: usize) -> Self {
        self.at_hand = objects;
        self
    }

    /// Whether [`ObjectPool::close`] can tell where what is still out was acquired.
    pub fn leak_tracking(mut self, tracking: LeakTracking) -> Self {
        self.leak_tracking = tracking;
        self
    }

    /// Builds the pool.
    #[must_use]
    pub fn build(self) -> ObjectPool<T, M> {
        let objects = Objects {
            manager: self.manager,
            max_idle: self.max_idle,
            max_age: self.max_age,
            prewarm: self.prewarm,
            tracker: (self.leak_tracking == LeakTracking::On).then(Tracker::default),
            lifecycle: Lifecycle::new(),
        };
        let lanes = self.lanes.unwrap_or_else(default_lanes);
        let idle_ceiling = self.idle_ceiling.unwrap_or(self.limit);
        let setup = Setup {
            lanes,
            costs: Box::new([1]),
            limit: self.limit,
            lane_ceiling: idle_ceiling,
            hand_ceiling: self.at_hand,
        };
        ObjectPool::over(Depot::build(setup, objects))
    }
}
