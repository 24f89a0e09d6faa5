//! A bound on what a connection reads at once.
//!
//! hyper reads into a buffer of each connection that it doubles as long as reads fill it, up to some 400 KiB
//! for HTTP/1. That memory is outside of every [`Pool`](crate::Pool): 400 connections that
//! upload at the same time hold 160 MiB of it, whatever the pool's limit. [`BoundedReads`] hands a connection at
//! most so many bytes for each read, and hyper's buffer then stays below twice that. The price is more system
//! calls for large bodies: 64 for 1 MiB at 16 KiB.
//!
//! It is a stream around a stream, in any order with others; with feature `serve`,
//! `BoundedReadsListener` puts it around each connection of a listener for `axum::serve`.

#[cfg(feature = "serve")]
mod listener;
mod stream;

#[cfg(feature = "serve")]
pub use listener::BoundedReadsListener;
pub use stream::BoundedReads;
