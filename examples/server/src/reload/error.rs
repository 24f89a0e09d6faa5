//! Why the settings stay as they were.

use std::{error, fmt};

use tower_hotswap::SwapError;
use tower_hotswap::source::SourceError;

use crate::config::ConfigError;
use crate::tls::TlsError;

/// Why the settings stay as they were.
#[derive(Debug)]
pub(crate) enum ReloadError {
    Config(ConfigError),
    Swap(SwapError),
    Tls(TlsError),
    Source(SourceError),
    /// What a URL had is no text.
    NotText,
}

impl From<TlsError> for ReloadError {
    fn from(error: TlsError) -> Self {
        ReloadError::Tls(error)
    }
}

impl From<ConfigError> for ReloadError {
    fn from(error: ConfigError) -> Self {
        ReloadError::Config(error)
    }
}

impl From<SwapError> for ReloadError {
    fn from(error: SwapError) -> Self {
        ReloadError::Swap(error)
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::Config(source) => source.fmt(f),
            ReloadError::Swap(source) => source.fmt(f),
            ReloadError::Tls(source) => source.fmt(f),
            ReloadError::Source(source) => source.fmt(f),
            ReloadError::NotText => f.write_str("the settings are not UTF-8"),
        }
    }
}

impl error::Error for ReloadError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            ReloadError::Config(source) => source.source(),
            ReloadError::Swap(source) => source.source(),
            ReloadError::Tls(source) => source.source(),
            ReloadError::Source(source) => source.source(),
            ReloadError::NotText => None,
        }
    }
}
