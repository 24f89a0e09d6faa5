//! Memory that all connections share for what clients upload.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes that the uploads of all connections together may be promised; clones are the same budget. `serve` takes it.
///
/// HTTP/2 promises a client memory before it sends: its windows. Windows large enough for one fast client far away, given
/// to everyone, are more memory than there is (10,000 connections at 1 MiB are 10 GB). With a budget each connection starts
/// with the 65,535 bytes that the protocol gives it (RFC 9113 §6.9.2), and gets more as its round trip shows that it can use
/// more, out of what is left: no connection may have more than a quarter of that, so that early ones leave room for later
/// ones. When the budget is spent, windows shrink as they are used, down to those 65,535 bytes.
///
/// So `n` connections hold at most `n · 65,535` bytes and the budget. Not counted are tunnels (CONNECT, and WebSocket over
/// HTTP/2), whose bytes hyper keeps for itself: each may hold twice the stream window.
///
/// ```
/// let budget = tower_flowctl::http2::ReceiveBudget::new(256 << 20);
/// assert_eq!((budget.promised(), budget.total()), (0, 256 << 20));
/// ```
#[derive(Clone)]
pub struct ReceiveBudget {
    shared: Arc<Shared>,
}

struct Shared {
    total: u64,
    promised: AtomicU64,
}

impl ReceiveBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                total: bytes,
                promised: AtomicU64::new(0),
            }),
        }
    }

    /// Bytes it has in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.shared.total
    }

    /// Bytes that clients may send or have sent and no handler has read, beyond the first 65,535 of each connection.
    #[must_use]
    pub fn promised(&self) -> u64 {
        self.shared.promised.load(Ordering::Relaxed)
    }

    pub(crate) fn left(&self) -> u64 {
        self.total().saturating_sub(self.promised())
    }

    /// Takes so many bytes, or as many as are left; returns how many.
    pub(crate) fn take(&self, bytes: u64) -> u64 {
        let Shared { total, promised } = &*self.shared;
        let mut taken = 0;
        // The closure never refuses.
        let _ = promised.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |promised| {
            taken = bytes.min(total.saturating_sub(promised));
            Some(promised + taken)
        });
        taken
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.shared.promised.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for ReceiveBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveBudget")
            .field("total", &self.total())
            .field("promised", &self.promised())
            .finish()
    }
}
