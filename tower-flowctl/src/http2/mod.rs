//! Response priority for HTTP/2 under an unmodified hyper.
//!
//! The h2 crate sends the frames of all responses in turn. Here a response waits until it is due: by urgency, by
//! RFC 9218 or RFC 7540, and by what the application says.
//!
//! ```text
//!  client ──► PriorityStream ──► hyper ──► PriorityService ──► handlers
//!               │ reads frames:              │ headers, rules
//!               │ signals, windows           ▼
//!               └───────────► scheduler ◄─── PriorityBody: "may I?"
//!                               ▲
//!  client ◄── PriorityStream ◄──┼─── hyper ◄──┘ a few kilobytes at a time
//!               └─ counts what the socket took
//! ```
//!
//! hyper sends what a body yields; so a body that yields nothing before its turn decides what hyper sends. What is on
//! its way beyond that, in hyper and in the socket, is kept to about two milliseconds of the connection's bandwidth.
//!
//! In the other direction `serve` can keep the windows of uploads within a [`ReceiveBudget`] that all connections share.
//!
//! Which stream a request belongs to hyper does not tell. The adapter appends it to the request's headers as it passes,
//! and the service takes it off.

mod body;
mod budget;
mod config;
mod connection;
mod current;
mod fields;
mod flood;
mod frame;
pub(crate) mod fuzzing;
mod heap;
mod hpack;
mod identity;
mod ids;
mod inbound;
mod layer;
#[cfg(feature = "axum")]
mod listener;
mod metrics;
mod outbound;
mod pace;
mod priority;
#[cfg(feature = "serve")]
mod receive;
mod rules;
mod scheduler;
mod service;
mod socket;
mod stream;
#[cfg(all(feature = "admission", feature = "axum"))]
mod streams;
mod together;
mod tree;
#[cfg_attr(
    not(feature = "serve"),
    allow(dead_code, reason = "only `serve` can set windows")
)]
mod windows;

#[cfg(feature = "axum")]
pub use self::listener::PriorityListener;
#[cfg(feature = "serve")]
pub use self::receive::RequestBody;
#[cfg(feature = "breaker")]
pub(crate) use self::service::read_field;
#[cfg(all(feature = "serve", unix))]
pub(crate) use self::socket::{SocketOf, of_tokio};
#[cfg(all(feature = "admission", feature = "axum"))]
pub(crate) use self::streams::Streams;
pub use self::{
    body::PriorityBody,
    budget::ReceiveBudget,
    config::{Http2Config, LowWaterMark},
    current::StreamPriority,
    flood::{Http2Limits, Reason},
    layer::PriorityLayer,
    metrics::{Http2Metrics, Http2Snapshot},
    priority::{Priority, PriorityOverride},
    service::{PriorityFuture, PriorityService},
    stream::PriorityStream,
};
#[cfg(feature = "serve")]
pub(crate) use self::{
    connection::{Connection, Seat},
    current::enter,
    inbound::LIST_GROWTH,
    receive::ReceiveService,
    scheduler::MAX_STREAMS,
    service::{hear, take_seat},
    windows::{BASE, Windows},
};
