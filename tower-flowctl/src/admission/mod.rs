//! Which connections come in, and how long each may take.
//!
//! [`Admission`] puts listening sockets under control. Each accepted connection gets a place in a table, a stream that
//! stamps what happens on it, and a handle ([`Connection`]) by which everything else can see and end it.
//!
//! ```text
//!                 Limits (replaceable)     DescriptorGuard
//!                      │                        │
//!  TcpListener ─► AdmissionListener ─► AdmittedStream ─► TLS, … ─► hyper ─► CountRequests ─► app
//!   accept(2)      room? rate?          stamps bytes                          stamps requests
//!                  PROXY? address?           ▲                                     ▲
//!                      │                     └──────────── Connection ─────────────┘
//!                  503, reset, or pause              table · deadlines · reclaim
//! ```
//!
//! # What stops what
//! | attack | stopped by |
//! |---|---|
//! | a burst of connections | [`Limits::total`], [`accept_rate`](Limits::accept_rate), the [descriptors](crate::descriptors) |
//! | many connections of one client | [`per_address`](Limits::per_address), [`per_prefix`](Limits::per_prefix) |
//! | connect and hold | [`handshake`](Limits::handshake), [`header`](Limits::header) |
//! | slowloris: a head byte by byte | [`header`](Limits::header) |
//! | slow body | [`rate`](Limits::rate), while a handler waits for the body |
//! | slow read | [`rate`](Limits::rate), while a response waits for the socket; [`unsent`](Limits::unsent) until then |
//! | half-open: the peer is gone | the same, and [`idle`](Limits::idle) |
//!
//! A client that sends one slow stream of many on a fast HTTP/2 connection is not found: rates are a connection's.
//!
//! A thousand that come at once are taken one at a time, and between any two whoever is ready has its turn.
//!
//! # Where it goes
//! Directly on the socket, below TLS and everything else, since it must see accept(2)'s errors. [`CountRequests`] goes
//! around the application. Both work under an unmodified `axum::serve`.
//!
//! # HTTP/2
//! An idle HTTP/2 connection is closed by an end of file, as a client of the same mind would do it; a serve loop that awaits
//! [`Connection::closing`] and calls hyper's `graceful_shutdown` sends a GOAWAY first.
//!
//! # Cost
//! A read and a write each stamp their connection: a few loads and stores of its own memory, no lock, no clock. A request
//! counts up and down. A connection is some hundred bytes. Deadlines are the business of one thread, which wakes ten times a
//! second ([`Admission::maintain`] puts that elsewhere).

mod accept;
mod address;
#[cfg(feature = "axum")]
mod axum;
mod body;
mod class;
mod clock;
mod connection;
mod core;
mod counters;
mod handle;
mod limits;
mod listener;
mod maintenance;
#[cfg(feature = "metrics")]
mod metrics;
mod place;
pub(crate) mod proxy;
mod rate;
mod refusal;
mod refuse;
mod shared;
mod snapshot;
mod state;
mod stream;

#[cfg(unix)]
pub use self::accept::UnixAddress;
#[cfg(feature = "axum")]
pub use self::axum::{
    Admitted, CountRequests, Counted, CountedFuture, Find, MakeFuture, RemoteAddress,
};
pub use self::{
    accept::{Accept, Transport},
    address::ClientAddress,
    body::{ActiveBody, RatedBody},
    class::Class,
    connection::{ActiveRequest, Connection},
    handle::{Admission, AdmissionBuilder, ConfigError},
    limits::{AtLimit, Limits, LimitsError},
    listener::AdmissionListener,
    proxy::{Network, NetworkError, ProxyProtocol},
    refusal::Refusal,
    snapshot::{ClassSnapshot, DescriptorSnapshot, Snapshot, States},
    state::{ConnectionState, Cut},
    stream::AdmittedStream,
};
#[cfg(test)]
pub(crate) use self::{clock::TICK, core::CROWDED, place::Place};
pub(crate) use self::{
    clock::ticks,
    core::Core,
    maintenance::{TURN, ends_a_turn},
    shared::Shared,
};
