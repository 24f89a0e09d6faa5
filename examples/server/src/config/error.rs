//! What is wrong with a setting, and where it stands.

use std::fmt;

use super::source::Origin;

/// A setting that cannot be used, and where it was found.
#[derive(Debug)]
pub(crate) struct ConfigError {
    origin: Option<Origin>,
    message: String,
}

impl ConfigError {
    pub(super) fn new(origin: Origin, message: impl Into<String>) -> Self {
        ConfigError {
            origin: Some(origin),
            message: message.into(),
        }
    }

    /// An error of the command line itself, already worded by clap.
    pub(super) fn usage(message: String) -> Self {
        ConfigError {
            origin: None,
            message,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{origin}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ConfigError {}
