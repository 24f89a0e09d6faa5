//! A pool with the bounds of bodies.

use std::time::Duration;

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
}

impl BodyPool {
    /// The default bounds over `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            limit: 2 << 20,
            budget_wait: Duration::from_secs(5),
            receive_timeout: Duration::from_secs(30),
        }
    }

    /// The most bytes of one body.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
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
    pub fn collect<B: Body>(&self, body: B) -> Collect<B> {
        Collect::new(self.clone(), body)
    }
}
