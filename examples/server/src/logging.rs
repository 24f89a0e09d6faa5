//! Log lines on standard error, for people or for machines.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{Config, LogFormat};

/// Starts logging for the whole process.
pub(crate) fn start(config: &Config) {
    let filter = EnvFilter::new(&config.log);
    let lines = fmt().with_env_filter(filter).with_writer(stderr);
    match config.log_format {
        LogFormat::Text => lines
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .init(),
    }
}
