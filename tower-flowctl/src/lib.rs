//! Flow control for HTTP servers on [tower] and hyper, at both ends of a connection: which bytes leave first, and
//! which connections may come in.
//!
//! ```text
//!             connection plane                                  request plane
//!  TCP port ──► admission ──► (TLS) ──► priority stream ──► hyper ──► breaker ──► limit ──► priority ──► handlers
//!                │  counts, deadlines        │ frames, windows                                 │
//!                ├── descriptors: room for newcomers                                           │
//!                └── reclaim: the longest idle go first     scheduler: what is urgent first ◄──┘
//! ```
//!
//! - [`http2`]: responses in the order of their priority (RFC 9218, and the dependencies of RFC 7540), and limits
//!   against floods, under an unmodified hyper.
//! - `serve` (feature `serve`): a serve loop with every setting of HTTP/2, handlers in their connection's task, and windows
//!   of uploads within one budget.
//! - `admission`, `descriptors`, `reclaim`, `drain`, `management` (feature `admission`): limits on connections,
//!   deadlines against slow clients, room below `RLIMIT_NOFILE`, an orderly end, and a class that is always answered.
//! - `breaker` (feature `breaker`): slow routes are relieved of their requests.
//! - [`limit`]: as many requests at once as the server is fast with.
//!
//! # When to use it, and when not
//!
//! Priority pays where responses wait for each other: on slow links, with large bodies beside small ones, and where
//! clients say what they need. Where all responses are small, or a proxy speaks HTTP/1.1 to the server, there is
//! nothing to put first. Admission is for servers that face clients they do not know; behind a proxy that limits
//! connections the limits of requests are enough.
//!
//! # Example
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_flowctl::http2::{PriorityLayer, PriorityOverride};
//!
//! let rules = PriorityLayer::new()
//!     .path("/assets/fonts/", PriorityOverride::new().urgency(2))
//!     .content_type("image/*", PriorityOverride::new().urgency(5).incremental(true));
//! let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(rules);
//! # drop(app);
//! ```
//!
//! served by `axum::serve` over `http2::PriorityListener`, or by `serve`.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `axum` | no | `http2::PriorityListener`, an `axum::serve::Listener` |
//! | `serve` | no | `serve`, on hyper-util; includes `axum` |
//! | `admission` | no | connection admission, the descriptors' guard, reclaim, drain, the management class |
//! | `breaker` | no | breakers on latency, with stored or learned baselines |
//! | `metrics` | no | counters and gauges for the `metrics` facade |
//! | `serde` | no | snapshots that serialize, baselines in JSON files |
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

mod later;
mod unavailable;
#[cfg(any(feature = "admission", feature = "serve"))]
mod watched;

#[cfg(feature = "serve")]
pub use serve::{serve, serve_with};
