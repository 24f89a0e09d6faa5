//! Looking at a pool once a tick.

use std::{fmt, time::Duration};

use super::{ClassDemand, DecayingDemand, Demand, PressureGauge, RetentionPolicy};
use crate::{Pool, State, raw::heap};

/// Looks after a pool's idle memory.
///
/// | setting | default | reason |
/// |---|---|---|
/// | [`policy`](Self::policy) | [`DecayingDemand`], half-life 30 s | see there |
/// | [`gauge`](Self::gauge) | [`PressureGauge::detect`] | a container's limit counts, not the machine's |
/// | [`interval`](Self::interval) | 5 s | a sixth of the half-life |
/// | [`heap`](Self::heap) | [`HeapTrim::Never`] | it is the whole process's heap, and holds up who allocates meanwhile |
pub struct Maintenance {
    pool: Pool,
    policy: Box<dyn RetentionPolicy>,
    gauge: PressureGauge,
    interval: Duration,
    heap: HeapTrim,
    /// Bytes trimmed since the heap was.
    owed: usize,
    /// Acquisitions and misses by class at the last tick.
    seen: Vec<(u64, u64)>,
    observer: Option<Observer>,
    #[cfg(feature = "metrics")]
    metrics: Option<crate::PoolMetrics>,
}

type Observer = Box<dyn FnMut(&Decision) + Send>;

/// Whether the C library is asked to give the pages of its heap that nothing lies in back to the kernel.
///
/// A pool gives back what its own buffers took. What requests took beside them, such as the read buffers of
/// connections and the headers, goes back to the allocator, and glibc's keeps what is not at the end of its heap: of 400
/// uploads within 64 MiB some 14 MiB stay in memory for good. malloc_trim(3) gives that back. An allocator that
/// is not glibc's, such as mimalloc, looks after its own memory, and is not reached by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HeapTrim {
    /// The heap is left alone.
    #[default]
    Never,
    /// When trimming the pool has come to rest, and before for each eighth of the pool's limit that was trimmed.
    ///
    /// It takes the thread that ticks about half a millisecond for each MiB that is given back, and little when there
    /// is nothing; threads that allocate meanwhile may wait. With hundreds of MiB, tick from a thread that may block, and
    /// not from a runtime's worker. Nothing is done where the C library is not glibc.
    WithPool,
}

/// Of a pool's limit, how much is trimmed before the heap is too.
const HEAP_SHARE: usize = 8;

/// What one tick saw and did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// What the policy was shown.
    pub demand: Demand,
    /// Idle buffers it let stay, by class.
    pub keep: Vec<usize>,
    /// Bytes given back to the kernel.
    pub trimmed: usize,
    /// Whether the C library's heap was trimmed and had free pages; see [`HeapTrim`].
    pub heap_trimmed: bool,
}

impl Maintenance {
    /// The default maintenance of `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            policy: Box::new(DecayingDemand::default()),
            gauge: PressureGauge::detect(),
            interval: Duration::from_secs(5),
            heap: HeapTrim::default(),
            owed: 0,
            seen: Vec::new(),
            observer: None,
            #[cfg(feature = "metrics")]
            metrics: None,
        }
    }

    /// Who decides what is kept.
    #[must_use]
    pub fn policy(mut self, policy: impl RetentionPolicy + 'static) -> Self {
        self.policy = Box::new(policy);
        self
    }

    /// Where pressure is read.
    #[must_use]
    pub fn gauge(mut self, gauge: PressureGauge) -> Self {
        self.gauge = gauge;
        self
    }

    /// The time between ticks of [`Self::run`]; at least a millisecond.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Whether the C library's heap is trimmed too.
    #[must_use]
    pub fn heap(mut self, heap: HeapTrim) -> Self {
        self.heap = heap;
        self
    }

    /// Shows every decision to `observer`, a publisher of metrics say.
    #[must_use]
    pub fn on_decision(mut self, observer: impl FnMut(&Decision) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Publishes the pool's figures after each tick.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn metrics(mut self, metrics: crate::PoolMetrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Looks at the pool once, `elapsed` after the last time, and trims it.
    pub fn tick(&mut self, elapsed: Duration) -> Decision {
        let demand = self.demand(elapsed);
        let mut keep = vec![usize::MAX; demand.classes.len()];
        self.policy.retain(&demand, &mut keep);
        self.cap(&demand, &mut keep);
        let mut trimmed = 0;
        for (class, (demand, &keep)) in demand.classes.iter().zip(&keep).enumerate() {
            let excess = demand.idle.saturating_sub(keep);
            if excess > 0 {
                trimmed += self.pool.trim_class(class, excess);
            }
        }
        let decision = Decision {
            demand,
            keep,
            trimmed,
            heap_trimmed: self.trim_heap(trimmed),
        };
        if let Some(observer) = &mut self.observer {
            observer(&decision);
        }
        #[cfg(feature = "metrics")]
        if let Some(metrics) = &self.metrics {
            metrics.publish();
        }
        decision
    }

    /// Ticks until the pool closes.
    ///
    /// # Cancellation
    /// May be dropped at any time; between ticks nothing is held.
    pub async fn run(mut self) {
        let mut last = tokio::time::Instant::now();
        while self.pool.state() < State::Closing {
            tokio::time::sleep(self.interval).await;
            let now = tokio::time::Instant::now();
            self.tick(now - last);
            last = now;
        }
    }

    /// Trims the heap when it is time to, `trimmed` bytes of the pool having been trimmed now.
    fn trim_heap(&mut self, trimmed: usize) -> bool {
        self.owed = self.owed.saturating_add(trimmed);
        let due = match trimmed {
            0 => self.owed > 0,
            _ => self.owed >= self.pool.root.limit() / HEAP_SHARE,
        };
        if !due || self.heap == HeapTrim::Never {
            return false;
        }
        self.owed = 0;
        heap::release_free_pages()
    }

    fn demand(&mut self, elapsed: Duration) -> Demand {
        let sizes = &self.pool.root.extra.classes;
        let mut classes: Vec<ClassDemand> = sizes
            .iter()
            .map(|&size| ClassDemand {
                size,
                ..ClassDemand::default()
            })
            .collect();
        let mut totals = vec![(0, 0, 0isize); sizes.len()];
        self.pool.root.for_each_lane(|lane| {
            for ((index, class), total) in classes.iter_mut().enumerate().zip(&mut totals) {
                let shelf = lane.shelf(index);
                class.idle += shelf.idle.len();
                class.untouched += shelf.low;
                shelf.low = shelf.idle.len();
                total.0 += shelf.hits + shelf.misses;
                total.1 += shelf.misses;
                total.2 += shelf.in_use;
            }
        });
        self.seen.resize(sizes.len(), (0, 0));
        for ((class, total), seen) in classes.iter_mut().zip(totals).zip(&mut self.seen) {
            class.acquired = total.0 - seen.0;
            class.misses = total.1 - seen.1;
            class.in_use = usize::try_from(total.2).unwrap_or(0);
            *seen = (total.0, total.1);
        }
        Demand {
            elapsed,
            classes,
            pressure: self.gauge.read(),
        }
    }

    /// Holds what is kept to the pool's idle ceiling, the large classes giving way first.
    fn cap(&self, demand: &Demand, keep: &mut [usize]) {
        let mut room = self.pool.root.extra.idle_ceiling;
        for (class, keep) in demand.classes.iter().zip(keep) {
            let kept = (*keep).min(class.idle);
            let fits = kept.min(room / class.size);
            if fits < kept {
                *keep = fits;
            }
            room -= fits * class.size;
        }
    }
}

impl fmt::Debug for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maintenance")
            .field("pool", &self.pool)
            .field("gauge", &self.gauge)
            .field("interval", &self.interval)
            .field("heap", &self.heap)
            .finish_non_exhaustive()
    }
}
