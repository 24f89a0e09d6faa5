//! Pooled body buffers under one memory limit.
mod acquire;
mod body;
mod buf;
mod config;
pub mod context;
mod core;
mod error;
mod lane;
mod leak;
mod lifecycle;
#[cfg(all(test, pool_loom))]
mod model;
mod pool;
mod raw;
mod retention;
mod stats;
mod sync;
mod writer;

#[cfg(feature = "axum")]
mod axum;

pub use acquire::Acquire;
#[cfg(feature = "axum")]
pub use axum::{PooledBytes, PooledForm, PooledJson, PooledRejection};
pub use body::{
    BodyError, BodyPool, Collect, DefaultRejection, PooledBodies, PooledBody, PooledBodyFuture,
    PooledBodyLayer, Rejection,
};
pub use buf::PooledBuf;
pub use config::{DEFAULT_CLASSES, PoolBuilder, Wipe};
pub use error::{AcquireError, CloseError, ConfigError, Leak};
pub use leak::LeakTracking;
pub use lifecycle::State;
pub use pool::Pool;
pub use retention::{
    ClassDemand, DecayingDemand, Decision, Demand, Maintenance, Pressure, PressureGauge,
    RetentionPolicy,
};
pub use stats::{ClassStats, Stats};
pub use writer::{PooledWriter, WriterBody};
