//! Pooled request and response bodies under one memory limit, and a typed request context, for
//! [tower] and [axum].
//!
//! A body that arrives in many pieces is usually collected in a growing vector: it is copied again
//! and again, and under a burst the allocator asks the kernel for fresh pages again and again. Here
//! it is assembled once, in a buffer of a pool whose total size is bounded and which gives memory
//! back when it is quiet.
//!
//! ```text
//!              budget: one limit in bytes on everything that exists, idle or out
//!                 │
//!  frames ─► PooledBodyLayer ─► PooledBody ─► handler ─► PooledJson ─► frames
//!                 │  ▲                                     │  ▲
//!                 ▼  │ last drop                           ▼  │ last drop
//!            ┌─ Pool ─────────────────────────────────────────────────┐
//!            │ at hand  at hand  at hand  at hand   one for each thread│
//!            │ lane 0   lane 1   lane 2   lane 3    idle blocks,       │◄─ Maintenance: demand,
//!            │ 4K…1M    4K…1M    4K…1M    4K…1M     shared             │   decay, pressure
//!            └─────────────────────────────────────────────────────────┘
//! ```
//!
//! - [`Pool`], [`PooledBuf`]: buffers of a few sizes, acquired now or in a fair queue, released by
//!   drop on any thread, frozen into [`bytes::Bytes`] without a copy; an orderly
//!   [`close`](Pool::close) that names leaks.
//! - [`PooledBodyLayer`]: whole request bodies in contiguous pooled memory, with limits on size,
//!   memory and time. For any tower service.
//! - [`PooledWriter`]: response bodies written into pooled memory.
//! - [`ObjectPool`]: the same for things that are not buffers, upstream connections say.
//! - [`BoundedReads`]: a bound on the memory that connections read into, which is outside of every pool.
//! - [`Maintenance`]: idle memory that follows demand and pressure.
//! - [`context`]: a plain struct for each request, without `http::Extensions`.
//!
//! # When to use it, and when not
//!
//! It is for wherever the memory of bodies in flight must be bounded, for bodies that arrive in pieces,
//! for large JSON, and for bursts under an allocator that asks the kernel for fresh pages each time
//! (glibc's). Under one that keeps pages by thread (mimalloc, jemalloc) a buffer is had from the
//! allocator as fast, and what is left is the bound and the copies saved; the crate's README has the
//! figures. A body of one frame is not copied at all: then only the limits are gained. A body that can
//! be processed as a stream should be.
//!
//! # Example
//!
//! ```
//! use axum::{Router, routing::post};
//! use tower_pool::{BodyPool, Maintenance, Pool, PooledBodyLayer};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower_pool::ConfigError> {
//! let pool = Pool::builder().limit(64 << 20).build()?;
//! tokio::spawn(Maintenance::new(pool.clone()).run());
//! let bodies = BodyPool::new(pool).limit(1 << 20);
//! let app: Router = Router::new()
//!     .route("/upload", post(|body: axum::body::Bytes| async move { body.len().to_string() }))
//!     .layer(PooledBodyLayer::new(bodies));
//! # drop(app);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `axum` | no | extractors `PooledBody`, `PooledBytes`, `PooledJson`, `PooledForm` and `Context`; `PooledJson` as a response |
//! | `metrics` | no | `PoolMetrics`: the pool's figures for the `metrics` facade |
//! | `serve` | no | `BoundedReadsListener`, a listener for `axum::serve` |
//!
//! [tower]: https://docs.rs/tower
//! [axum]: https://docs.rs/axum

#![deny(unsafe_code)]

mod acquire;
mod body;
mod buf;
mod config;
pub mod context;
mod depot;
mod error;
mod leak;
mod lifecycle;
#[cfg(all(test, pool_loom))]
mod model;
pub mod object;
mod pool;
mod promise;
mod raw;
pub mod reads;
mod retention;
mod stats;
mod sync;
mod writer;

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "metrics")]
pub mod metrics;

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
#[cfg(feature = "metrics")]
pub use metrics::PoolMetrics;
pub use object::{
    Manage, ObjectError, ObjectPool, ObjectPoolBuilder, ObjectStats, Plain, PooledObject, Recycle,
};
pub use pool::Pool;
pub use reads::BoundedReads;
#[cfg(feature = "serve")]
pub use reads::BoundedReadsListener;
pub use retention::{
    ClassDemand, DecayingDemand, Decision, Demand, HeapTrim, Maintenance, Pressure, PressureGauge,
    RetentionPolicy,
};
pub use stats::{ClassStats, Stats};
pub use writer::{PooledWriter, WriterBody};
