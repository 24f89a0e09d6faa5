//! Extractors and responses for axum.
//!
//! The extractors take their pool from the router's state: `BodyPool: FromRef<S>`.
//!
//! ```
//! use axum::{Router, routing::post};
//! use tower_pool::{BodyPool, Pool, PooledBody, PooledJson};
//!
//! let bodies = BodyPool::new(Pool::new()).limit(1 << 20);
//! let app: Router = Router::new()
//!     .route("/length", post(|body: PooledBody| async move { body.len().to_string() }))
//!     .route("/sum", post(|PooledJson(numbers): PooledJson<Vec<u64>>| async move {
//!         PooledJson(numbers.iter().sum::<u64>())
//!     }))
//!     .with_state(bodies);
//! # drop(app);
//! ```

mod context;
mod extract;
mod json;
mod rejection;

pub use extract::{PooledBytes, PooledForm};
pub use json::PooledJson;
pub use rejection::PooledRejection;
