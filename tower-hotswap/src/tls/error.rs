//! What can be wrong with certificates and keys.

use std::{fmt, io, path::PathBuf, sync::Arc};

use tokio_rustls::rustls;

/// Why certificates, keys or a configuration were refused. Whatever it is, what was running still runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// A text has no certificate in PEM, or one that is broken.
    NoCertificate {
        /// Which text: a path, or words.
        origin: String,
    },
    /// A text has no private key in PEM.
    NoKey {
        /// Which text.
        origin: String,
    },
    /// A key is of a kind that is not supported, or broken.
    BadKey {
        /// Which text.
        origin: String,
        /// Why.
        source: rustls::Error,
    },
    /// A certificate is not that of its key.
    Mismatch {
        /// The texts of both.
        origin: String,
    },
    /// A certificate cannot be read.
    BadCertificate {
        /// Which text.
        origin: String,
    },
    /// There is no certificate at all.
    Empty,
    /// A list of ticket keys cannot be read.
    BadTicketKeys {
        /// The line, counted from 1; 0 for the text as a whole.
        line: usize,
    },
    /// The system has no randomness for keys.
    NoRandomness,
    /// Early data was asked for, and sessions that are not in a cache: a ticket could be sent twice.
    EarlyDataWithoutCache,
    /// The cryptography does not serve what was asked for.
    Config(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => write!(f, "{} cannot be read: {source}", path.display()),
            Self::NoCertificate { origin } => write!(f, "{origin} has no certificate in PEM (`-----BEGIN CERTIFICATE-----`)"),
            Self::NoKey { origin } => write!(f, "{origin} has no private key in PEM (`-----BEGIN PRIVATE KEY-----`)"),
            Self::BadKey { origin, source } => write!(f, "the private key of {origin} cannot be used: {source}"),
            Self::Mismatch { origin } => write!(f, "the certificate and the private key of {origin} do not belong together"),
            Self::BadCertificate { origin } => write!(f, "the first certificate of {origin} is not one of X.509"),
            Self::Empty => f.write_str("there is no certificate: add one at least"),
            Self::BadTicketKeys { line: 0 } => f.write_str("the list has no ticket key: give one a line, 64 hexadecimal digits each, the current one first"),
            Self::BadTicketKeys { line } => write!(f, "line {line} is no ticket key: it has to be 64 hexadecimal digits"),
            Self::NoRandomness => f.write_str("the system has no randomness to make ticket keys from"),
            Self::EarlyDataWithoutCache => f.write_str("early data needs sessions that can be used only once: ask for `session_cache` instead of tickets or no resumption"),
            Self::Config(source) => write!(f, "the cryptography cannot serve this: {source}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(&**source),
            Self::BadKey { source, .. } | Self::Config(source) => Some(source),
            _ => None,
        }
    }
}
