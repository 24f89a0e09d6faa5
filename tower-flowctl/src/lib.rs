//! Flow control for HTTP servers on [tower] and hyper, at both ends of a connection: which bytes leave first, and
//! which connections may come in.
//!
//! [tower]: https://docs.rs/tower
#![forbid(unsafe_code)]

#[cfg(feature = "admission")]
pub mod admission;
#[cfg(feature = "breaker")]
pub mod breaker;
#[cfg(feature = "admission")]
pub mod descriptors;
#[cfg(feature = "admission")]
pub mod drain;
#[doc(hidden)]
pub mod fuzzing;
pub mod http2;
pub mod limit;
#[cfg(feature = "admission")]
pub mod management;
#[cfg(feature = "admission")]
pub mod reclaim;
#[cfg(feature = "serve")]
pub mod serve;

mod unavailable;

#[cfg(feature = "serve")]
pub use serve::{serve, serve_with};
