//! A limit on requests in flight that finds itself, and a queue that does not make everybody late.
//!
//! ```text
//!               standing: newest first, 5 ms        limit: follows latency
//!  requests ─► queue ───────────────────────► permits ─► service
//!                │  else: oldest first, 100 ms    ▲          │
//!                └── 503                          └── latency ┘
//! ```
//!
//! # The limit
//! follows a gradient, as Netflix's and Envoy's do ([`Gradient`]): while latencies are what they are with little in flight,
//! it grows; when they are higher, something behind is queueing, and it shrinks. tower's `ConcurrencyLimit` has a number that
//! you have to know.
//!
//! # The queue
//! ([`Queue`]) is CoDel's in the form that servers use. What counts is not how long it is but whether it was empty of late. If
//! it was, a burst is being worked off, and everybody may wait for `interval`. If it was not for a whole `interval`, it
//! stands: there is more work than can be done. Then newcomers may wait for `target` only, and the newest goes first, because
//! its client is the most likely to be still there; first come, first served would answer everybody too late.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_flowctl::limit::{AdaptiveLimitLayer, Gradient, Limiter, Queue};
//!
//! let limiter = Limiter::new(Gradient::default(), Queue::default());
//! let app: Router = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .layer(AdaptiveLimitLayer::new(limiter.clone()));
//! assert_eq!(limiter.snapshot().limit, 20);
//! # drop(app);
//! ```
//!
//! # When the process stands still
//! because it has no processor, or a task does not let others run, all requests look slow. That should not turn clients away:
//! - Who waits in the queue and is told 10 ms too late that the time is over, waits for another `target`, or `interval` if that is
//!   less, once: those in flight could not end either.
//! - The limit loses a tenth at most for a window with the default [`smoothing`](Gradient::smoothing), however slow that was, and grows
//!   again. A base that was measured in one is put right by the next window in which latencies are what they are without load.
//!
//! More time is given to each request once, however often the process stands still: where timers are late all the time, the
//! queue's delays are that much longer. None is given to those who find no place in the queue, or with a `target` of zero.
//!
//! # When not
//! Before services whose latency has nothing to do with load, such as long polls: put the limit on the other routes.
//!
//! # Cost
//! A request takes one lock twice, for some tens of nanoseconds, and reads the clock three times. What waits has a timer.

mod gradient;
mod layer;
mod limiter;
#[cfg(feature = "metrics")]
mod metrics;
mod queue;
mod service;
mod state;

pub use self::{
    gradient::Gradient,
    layer::AdaptiveLimitLayer,
    limiter::{Limiter, LimiterSnapshot},
    queue::Queue,
    service::{AdaptiveLimit, AdaptiveLimitFuture},
};
