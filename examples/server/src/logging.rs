//! Log lines on standard error, for people or for machines.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{Config, LogFormat};

/// Changes what is logged.
#[derive(Debug, Clone)]
pub(crate) struct LogControl(Handle<EnvFilter, Registry>);

impl LogControl {
    /// Logs by this filter from now on.
    pub(crate) fn set(&self, filter: &str) {
        if let Err(error) = self.0.reload(EnvFilter::new(filter)) {
            tracing::warn!(%error, "the log filter stays as it was");
        }
    }
}

/// Starts logging for the whole process.
pub(crate) fn start(config: &Config) -> LogControl {
    let (filter, control) = reload::Layer::new(EnvFilter::new(&config.log));
    let lines = fmt::layer().with_writer(stderr);
    let lines = match config.log_format {
        LogFormat::Text => lines
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
    LogControl(control)
}
