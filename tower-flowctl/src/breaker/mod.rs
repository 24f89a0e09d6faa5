//! Breakers on latency: a route that has become slow is relieved of its requests until it is fast again.
//!
//! ```text
//!           3 windows of 15 s with             2 windows
//!           p95 > 2.5 × baseline               later
//!   Closed ──────────────────────► Open ────────────────► HalfOpen
//!      ▲                             ▲                     │    │
//!      │                             └──── probes slow ────┘    │
//!      └────────────── probes within 1.5 × baseline ────────────┘
//! ```
//!
//! Everything is decided when a window ends, and the windows of all routes end together; in between nothing changes. A window
//! with few requests says nothing and changes nothing. From the onset of slowness to an open breaker it takes 45 to 60 s:
//! what must be fast is the business of [`limit`](crate::limit), and the two go together.
//!
//! # The baseline
//! is what the route's 95th percentile is when all is well: from a file that `benches` or an earlier run has written
//! ([`Baselines`]), or else learned from windows that are not slow.
//!
//! # The triggers
//! degrade all routes at once, whatever the latencies: [memory](Trigger::memory) over 90 % for two minutes, a
//! [queue](Trigger::queue) longer than 50, or a number of your own.
//!
//! # What an open breaker does
//! All requests, or those of low [urgency](Shed::FromUrgency), are answered with 503 and a `Retry-After` that spreads the
//! clients, or by a [fallback](BreakerLayer::fallback).
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_flowctl::breaker::{Breaker, Shed, Trigger};
//!
//! let breaker = Breaker::builder().trigger(Trigger::memory()).build();
//! let app: Router = Router::new()
//!     .route("/books", get(|| async { "books" }))
//!     .route_layer(breaker.layer("/books").shed(Shed::FromUrgency(3)));
//! assert_eq!(breaker.snapshot().routes[0].route, "/books");
//! # drop(app);
//! ```
//!
//! # When the process stands still
//! for a tenth of a second, because it has no processor, its requests look slow. That is less than a hundredth of a window, and the
//! 95th percentile stays what it was. Half-open, where probes are few, it may not, and the breaker is open for two windows more.
//!
//! # Cost
//! A request reads the clock twice and takes its route's lock once, for the time of counting one latency.

mod baseline;
mod builder;
mod degrade;
mod layer;
mod memory;
#[cfg(feature = "metrics")]
mod metrics;
mod registry;
mod route;
mod service;
mod state;
mod trigger;

#[cfg(feature = "serde")]
pub use self::baseline::BaselineError;
pub use self::{
    baseline::{Baseline, Baselines},
    builder::BreakerBuilder,
    degrade::{Degrade, Fallback, Refuse, Shed},
    layer::BreakerLayer,
    registry::{Breaker, BreakerSnapshot},
    route::RouteSnapshot,
    service::{BreakerFuture, BreakerService},
    state::BreakerState,
    trigger::Trigger,
};
