//! Early data (0-RTT): requests that a returning client sends before the handshake has ended.
//!
//! ```text
//!  client: ClientHello, GET ──►   EarlyStream: bytes for whoever took `EarlyData`
//!  server:                  ◄──  ServerHello … Finished, the answer
//!  client: Finished, …      ──►   `EarlyData` is not pending any more
//! ```
//!
//! Anybody who saw the first flight can send it again (RFC 8446 §8), so three things hold:
//!
//! - A session's early data is accepted once. Sessions are in a cache of this process, and whoever offers one takes it out
//!   (RFC 8446 §8.1); a second ClientHello with it makes a full handshake, whose early data is dropped.
//! - Early bytes are given out before the handshake has ended only if somebody took the stream's [`EarlyData`], as
//!   [`EarlyDataMakeService`] does. Else they wait for its end, which a replay never reaches (RFC 8470 §3).
//! - [`EarlyDataGuard`] lets safe methods pass and answers others by 425 until then (RFC 8470 §5.2).

#[cfg(feature = "axum")]
mod axum;
mod guard;
mod stream;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[cfg(feature = "axum")]
pub use self::axum::{EarlyDataMakeFuture, EarlyDataMakeService};
pub use self::guard::{EarlyDataFuture, EarlyDataGuard, EarlyDataLayer};
pub(super) use self::stream::EarlyStream;

/// What a connection that began with early data knows of its handshake. A clone is the same.
///
/// Whoever takes it from [`HotTlsStream::take_early_data`](super::HotTlsStream::take_early_data) gets early data from the stream at once,
/// and is the one who has to keep what is not safe from being done twice: [`EarlyDataLayer::of_connection`] does.
#[derive(Debug, Clone)]
pub struct EarlyData(Arc<Phase>);

impl EarlyData {
    /// Whether the client's `Finished` has not come: what was read from the stream until now may be a replay.
    ///
    /// Once this is false, it is for good, and everything that was read on this connection, early or not, came from the
    /// client itself (RFC 8470 §3).
    #[must_use]
    #[inline]
    pub fn is_pending(&self) -> bool {
        !self.0.finished.load(Ordering::Acquire)
    }
}

/// How far a connection with early data is.
#[derive(Debug, Default)]
struct Phase {
    /// Somebody asks before doing what is not safe.
    taken: AtomicBool,
    finished: AtomicBool,
}
