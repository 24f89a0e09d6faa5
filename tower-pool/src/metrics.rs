//! A pool's figures for the [`metrics`] facade.
//!
//! Nothing is added to what acquiring and releasing cost: the pool counts in its lanes and slots anyway, and
//! [`PoolMetrics::publish`] reads them, some microseconds each time. The handles are made once and kept.
//!
//! | name | kind | labels | what |
//! |---|---|---|---|
//! | `pool_hits_total` | counter | `pool`, `class` | acquisitions served from idle buffers |
//! | `pool_misses_total` | counter | `pool`, `class` | acquisitions that allocated |
//! | `pool_in_use` | gauge | `pool`, `class` | buffers out |
//! | `pool_idle` | gauge | `pool`, `class` | buffers kept for later |
//! | `pool_budget_used_bytes` | gauge | `pool` | bytes of all buffers, idle and out |
//! | `pool_budget_limit_bytes` | gauge | `pool` | the most that can be |
//! | `pool_waiting` | gauge | `pool` | acquisitions that wait |
//! | `pool_waits_total` | counter | `pool` | acquisitions that have had to wait |
//! | `pool_trims_total` | counter | `pool` | idle buffers given up |
//! | `pool_trimmed_bytes_total` | counter | `pool` | their bytes |
//!
//! The label `pool` is the name given, `class` a buffer's size in bytes.
//!
//! ```
//! use tower_pool::{Maintenance, Pool, PoolMetrics};
//!
//! let pool = Pool::new();
//! // Published after each tick; `publish` may be called whenever else, before each scrape say.
//! let maintenance = Maintenance::new(pool.clone()).metrics(PoolMetrics::new("bodies", &pool));
//! # drop(maintenance);
//! ```

use std::fmt;

use metrics::{Counter, Gauge, Label, counter, gauge};

use crate::Pool;

/// Publishes the figures of a [`Pool`] to the `metrics` facade. See the [module](self).
pub struct PoolMetrics {
    pool: Pool,
    classes: Vec<ClassHandles>,
    used: Gauge,
    limit: Gauge,
    waiting: Gauge,
    waits: Counter,
    trims: Counter,
    trimmed: Counter,
}

struct ClassHandles {
    hits: Counter,
    misses: Counter,
    in_use: Gauge,
    idle: Gauge,
}

impl PoolMetrics {
    /// The handles of `pool` with the recorder that is installed now, under the label `pool` = `name`.
    #[must_use]
    pub fn new(name: &'static str, pool: &Pool) -> Self {
        let of_pool = || vec![Label::from_static_parts("pool", name)];
        let classes = pool.stats().classes;
        let of_class = |class: &crate::ClassStats| {
            let mut labels = of_pool();
            labels.push(Label::new("class", class.size.to_string()));
            ClassHandles {
                hits: counter!("pool_hits_total", labels.clone()),
                misses: counter!("pool_misses_total", labels.clone()),
                in_use: gauge!("pool_in_use", labels.clone()),
                idle: gauge!("pool_idle", labels),
            }
        };
        Self {
            pool: pool.clone(),
            classes: classes.iter().map(of_class).collect(),
            used: gauge!("pool_budget_used_bytes", of_pool()),
            limit: gauge!("pool_budget_limit_bytes", of_pool()),
            waiting: gauge!("pool_waiting", of_pool()),
            waits: counter!("pool_waits_total", of_pool()),
            trims: counter!("pool_trims_total", of_pool()),
            trimmed: counter!("pool_trimmed_bytes_total", of_pool()),
        }
    }

    /// Reads the pool's figures and sets the handles to them.
    pub fn publish(&self) {
        let stats = self.pool.stats();
        for (handles, class) in self.classes.iter().zip(&stats.classes) {
            handles.hits.absolute(class.hits);
            handles.misses.absolute(class.misses);
            handles.in_use.set(class.in_use as f64);
            handles.idle.set(class.idle as f64);
        }
        self.used.set(stats.allocated as f64);
        self.limit.set(stats.limit as f64);
        self.waiting.set(stats.waiting as f64);
        self.waits.absolute(stats.waits);
        self.trims.absolute(stats.trims);
        self.trimmed.absolute(stats.trimmed);
    }
}

impl fmt::Debug for PoolMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolMetrics")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
