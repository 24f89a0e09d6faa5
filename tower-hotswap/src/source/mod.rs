//! Where new contents come from: files, URLs, signals, and whatever implements [`Source`].
//!
//! [`Handle::follow`](crate::Handle::follow) publishes what a source reads. A content that does not build or does not
//! pass the checks is told as [`Event::Rejected`](crate::Event::Rejected), and what runs stays; so does it when a file
//! vanishes. The admin router publishes to the same handle, and the last change wins.
//!
//! ```no_run
//! # #[cfg(feature = "notify")]
//! # fn run(handle: &tower_hotswap::Handle<u16>) -> Result<(), tower_hotswap::source::SourceError> {
//! use tower_hotswap::{Recipe, source::FileSource};
//!
//! let recipe = Recipe::new(|text| Ok(std::str::from_utf8(text)?.trim().parse()?));
//! let follower = handle.follow(FileSource::new("/etc/app/limit")?, recipe);
//! # drop(follower);
//! # Ok(())
//! # }
//! ```

#[cfg(any(feature = "notify", feature = "signal"))]
mod files;
mod follow;
mod http;
#[cfg(all(feature = "signal", unix))]
mod signal;
#[cfg(feature = "notify")]
mod watch;

use std::{error::Error, fmt, io, path::PathBuf, sync::Arc};

pub use self::{follow::Follower, http::HttpSource};
#[cfg(all(feature = "signal", unix))]
pub use signal::HangupSource;
#[cfg(feature = "notify")]
pub use watch::FileSource;

/// Something that has contents, one after the other.
///
/// etcd, Consul or a database are added by implementing this.
pub trait Source: Send {
    /// Waits for a content: the first one at once, later ones when they differ from the one before.
    ///
    /// An error is told, and the source asked again; so an error that lasts is to be returned once and not over and over.
    ///
    /// # Cancellation
    /// Dropping the future must lose no content.
    fn next(&mut self) -> impl Future<Output = Result<Content, SourceError>> + Send;
}

/// What a source read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where they come from: a path, a URL.
    pub origin: Arc<str>,
}

/// Bytes that a content may have unless told otherwise.
pub(crate) const LIMIT: u64 = 16 << 20;

/// Why a source has no content at present.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SourceError {
    /// A file or a folder could not be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// What is there is no regular file.
    NoFile {
        /// Which.
        path: PathBuf,
    },
    /// There is more than may be read.
    TooLarge {
        /// Where.
        origin: String,
        /// Bytes that may be read.
        limit: u64,
    },
    /// The system does not watch files for us.
    Watch {
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A server answered by another status than 200 and 304.
    Status {
        /// The URL.
        origin: String,
        /// The status.
        status: u16,
    },
    /// A server did not answer, or in time.
    Request {
        /// The URL.
        origin: String,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// There will be no more contents.
    Ended,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(f, "{} cannot be read: {source}", path.display())
            }
            Self::NoFile { path } => write!(f, "{} is not a regular file", path.display()),
            Self::TooLarge { origin, limit } => {
                write!(f, "{origin} is larger than the limit of {limit} bytes")
            }
            Self::Watch { source } => write!(f, "files cannot be watched: {source}"),
            Self::Status { origin, status } => {
                write!(f, "{origin} was answered by status {status}")
            }
            Self::Request { origin, source } => write!(f, "{origin} was not answered: {source}"),
            Self::Ended => f.write_str("the source has ended"),
        }
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(&**source),
            Self::Watch { source } | Self::Request { source, .. } => Some(&**source),
            _ => None,
        }
    }
}
