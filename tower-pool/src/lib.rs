//! Pooled body buffers under one memory limit.
mod acquire;
mod buf;
mod config;
mod core;
mod error;
mod lane;
mod leak;
mod lifecycle;
#[cfg(all(test, pool_loom))]
mod model;
mod pool;
mod raw;
mod stats;
mod sync;

pub use acquire::Acquire;
pub use buf::PooledBuf;
pub use config::{DEFAULT_CLASSES, PoolBuilder, Wipe};
pub use error::{AcquireError, CloseError, ConfigError, Leak};
pub use leak::LeakTracking;
pub use lifecycle::State;
pub use pool::Pool;
pub use stats::{ClassStats, Stats};
