//! What the connections of a listener have in common to count.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Reason;

/// Counters of the HTTP/2 connections that share a configuration. Read them with [`snapshot`](Self::snapshot).
#[derive(Debug, Default)]
pub struct Http2Metrics {
    connections: AtomicU64,
    requests: AtomicU64,
    unnamed: AtomicU64,
    updates: AtomicU64,
    closed: [AtomicU64; Reason::ALL.len()],
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Http2Snapshot {
    /// Connections that spoke HTTP/2.
    pub connections: u64,
    /// Requests whose responses are scheduled.
    pub requests: u64,
    /// Requests whose responses are not, since their headers were malformed or fill their frame to the brim.
    pub unnamed: u64,
    /// PRIORITY_UPDATE frames.
    pub updates: u64,
    #[cfg_attr(feature = "serde", serde(serialize_with = "by_reason"))]
    closed: [u64; Reason::ALL.len()],
}

/// As pairs of a reason and its count, in the order of [`Reason::ALL`].
#[cfg(feature = "serde")]
fn by_reason<S: serde::Serializer>(
    closed: &[u64; Reason::ALL.len()],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(Reason::ALL.iter().map(|reason| reason.name()).zip(closed))
}

impl Http2Snapshot {
    /// Connections closed for a reason.
    #[must_use]
    pub fn closed(&self, reason: Reason) -> u64 {
        self.closed[reason as usize]
    }
}

impl Http2Metrics {
    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> Http2Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Http2Snapshot {
            connections: read(&self.connections),
            requests: read(&self.requests),
            unnamed: read(&self.unnamed),
            updates: read(&self.updates),
            closed: std::array::from_fn(|reason| read(&self.closed[reason])),
        }
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        metrics::counter!("flowctl_http2_connections_total").increment(1);
    }

    pub(crate) fn requested(&self, named: bool) {
        let counter = if named { &self.requests } else { &self.unnamed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn updated(&self) {
        self.updates.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        metrics::counter!("flowctl_http2_priority_updates_total").increment(1);
    }

    pub(crate) fn closed(&self, reason: Reason) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        metrics::counter!("flowctl_http2_closed_total", "reason" => reason.name()).increment(1);
    }
}
