//! What connections are told to do.

use std::sync::Arc;

use super::{Http2Limits, Http2Metrics};

/// The settings of the connection plane, shared by the connections of a listener.
///
/// ```
/// use tower_flowctl::http2::{Http2Config, Http2Metrics};
///
/// let metrics = std::sync::Arc::new(Http2Metrics::default());
/// let config = Http2Config::default().metrics(metrics.clone());
/// assert_eq!(metrics.snapshot().connections, 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Http2Config {
    pub(crate) limits: Http2Limits,
    pub(crate) metrics: Arc<Http2Metrics>,
    pub(crate) low_water_mark: LowWaterMark,
}

/// How much unsent data a socket holds before it asks to wait (`TCP_NOTSENT_LOWAT`; Linux, macOS and others).
///
/// Left to itself, the kernel takes megabytes, and they go out before anything more urgent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LowWaterMark {
    /// What the connection carries in two milliseconds, from 4 KiB to 256 KiB, and beyond in 16, to 4 MiB; the default.
    #[default]
    Adaptive,
    /// So many bytes.
    Fixed(u32),
    /// As the system has it.
    System,
}

impl Http2Config {
    /// Sets what a client may cost.
    #[must_use]
    pub fn limits(mut self, limits: Http2Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets where to count.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<Http2Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Sets how much unsent data sockets hold.
    #[must_use]
    pub fn low_water_mark(mut self, mark: LowWaterMark) -> Self {
        self.low_water_mark = mark;
        self
    }
}
