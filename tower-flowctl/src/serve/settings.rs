//! What a server is set to, and what its connections make of it.

use std::time::Duration;

use crate::http2::{BASE, Http2Config, MAX_STREAMS, ReceiveBudget, Windows};

use super::{Exec, HalfClosed, Http2Tuning, Pipelined};

/// What is left at the shutdown signal to a client that is connected and has not asked for anything yet, if half of the drain
/// timeout is not less: its first request may be on the way, and a connection that was accepted is not to be closed unheard.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) tuning: Http2Tuning,
    pub(super) http2: Http2Config,
    pub(super) receive_budget: Option<ReceiveBudget>,
    pub(super) exec: Exec,
    pub(super) header_timeout: Option<Duration>,
    pub(super) half_closed: HalfClosed,
    pub(super) pipelined: Pipelined,
    pub(super) drain_timeout: Duration,
}

impl Settings {
    /// What a client has for its first request once a drain has begun.
    pub(super) fn grace(&self) -> Duration {
        GRACE.min(self.drain_timeout / 2)
    }

    /// The receive windows of a connection, where they are kept by us.
    pub(super) fn windows(&self) -> Option<Windows> {
        let budget = self.receive_budget.clone()?;
        let Http2Tuning {
            stream_window,
            connection_window,
            ..
        } = self.tuning.in_range();
        Some(Windows::new(budget, stream_window, connection_window))
    }

    /// What hyper is told: where windows are kept by us, it must be ahead of them.
    pub(super) fn hyper(&self) -> Http2Tuning {
        let tuning = self.tuning.in_range();
        if self.receive_budget.is_none() {
            return tuning;
        }
        let twice = |window: u32| {
            window
                .max(BASE as u32)
                .saturating_mul(2)
                .min(i32::MAX as u32)
        };
        Http2Tuning {
            adaptive_window: false,
            // Those refused are known until that is written, too.
            max_concurrent_streams: tuning.max_concurrent_streams.min(MAX_STREAMS as u32 / 2),
            stream_window: twice(tuning.stream_window),
            connection_window: twice(tuning.connection_window),
            ..tuning
        }
    }
}
