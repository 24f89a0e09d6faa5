//! A pool with the bounds of bodies.

use std::{panic::Location, time::Duration};

use http_body::Body;

use super::Collect;
use crate::Pool;

/// A [`Pool`] with the bounds that bodies read into it must keep. Cheap to clone.
///
/// | bound | default | reason |
/// |---|---|---|
/// | [`limit`](Self::limit) | 2 MiB | axum's own default |
/// | [`budget_wait`](Self::budget_wait) | 5 s | longer than a body in flight usually takes, shorter than a client's patience |
/// | [`receive_timeout`](Self::receive_timeout) | 30 s | 2 MiB at 70 KB/s |
#[derive(Debug, Clone)]
pub struct BodyPool {
    pub(super) pool: Pool,
    pub(super) limit: usize,
    pub(super) budget_wait: Duration,
    pub(super) receive_timeout: Duration,
    /// Where leak tracking says that the bodies of layers and extractors were acquired.
    made_at: &'static Location<'static>,
}

impl BodyPool {
    /// The default bounds over `pool`.
    ///
    /// Leak tracking names the line of this call for bodies that a layer or an extractor has read.
    #[must_use]
    #[track_caller]
    pub fn new(pool: Pool) -> Self {
        Self {
            limit: (2 << 20).min(pool.root.limit()),
            pool,
            budget_wait: Duration::from_secs(5),
            receive_timeout: Duration::from_secs(30),
            made_at: Location::caller(),
        }
    }

    /// The most bytes of one body; no more than the pool's own limit counts.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes.min(self.pool.root.limit());
        self
    }

    /// How long a body may wait for memory, each time it needs more.
    #[must_use]
    pub fn budget_wait(mut self, wait: Duration) -> Self {
        self.budget_wait = wait;
        self
    }

    /// How long a sender may take for the whole body, not counting waits for memory.
    #[must_use]
    pub fn receive_timeout(mut self, timeout: Duration) -> Self {
        self.receive_timeout = timeout;
        self
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Reads `body` to its end.
    #[track_caller]
    pub fn collect<B: Body>(&self, body: B) -> Collect<B> {
        Collect::new(self.clone(), body, Location::caller())
    }

    /// As [`Self::collect`], for a caller that is no line of the program.
    pub(crate) fn collect_unseen<B: Body>(&self, body: B) -> Collect<B> {
        Collect::new(self.clone(), body, self.made_at)
    }
}
