//! Why a change was refused.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::{Expected, Selector, SnapshotId, Version, source::SourceError};

/// An error of a user's closure.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Which part of a publication ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Making the value from its content.
    Build,
    /// The check of this name.
    Check(String),
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build => f.write_str("building it"),
            Self::Check(name) => write!(f, "the check `{name}`"),
        }
    }
}

/// Why a change was refused. Whatever it is, what was running still runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SwapError {
    /// Something else is current than the publisher saw.
    Conflict {
        /// What the publisher saw.
        expected: Expected,
        /// The one that is current.
        current: SnapshotId,
    },
    /// A canary is running, and the change would replace what it is compared with.
    CanaryRunning {
        /// The canary.
        version: Version,
    },
    /// There is no canary to promote or to abort.
    NoCanary,
    /// The snapshot is current already, and cannot be its own canary.
    AlreadyCurrent {
        /// The snapshot.
        version: Version,
    },
    /// A canary's share is not a percentage.
    BadWeight {
        /// The share asked for, in percent.
        percent: f64,
    },
    /// No snapshot of the history is meant.
    Unknown {
        /// What was asked for.
        selector: Selector,
    },
    /// Several snapshots of the history are meant.
    Ambiguous {
        /// What was asked for.
        selector: Selector,
        /// How many it means.
        matches: usize,
    },
    /// Building or a check said no.
    Rejected {
        /// Which.
        stage: Stage,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// Building or a check panicked.
    Panicked {
        /// Which.
        stage: Stage,
        /// The panic's message.
        message: String,
    },
    /// Building or a check took too long. A build that hangs keeps its thread.
    TimedOut {
        /// Which.
        stage: Stage,
        /// The limit it passed.
        limit: Duration,
    },
    /// A source has no content at present.
    Source(Arc<SourceError>),
    /// Not a version.
    BadVersion(String),
    /// Not the id of a snapshot.
    BadSelector(String),
}

impl fmt::Display for SwapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { expected, current } => write!(
                f,
                "{expected} was expected to be current, and snapshot {current} is now: look at it and try again"
            ),
            Self::CanaryRunning { version } => {
                write!(
                    f,
                    "the canary {version} is running: promote or abort it first"
                )
            }
            Self::NoCanary => f.write_str("no canary is running"),
            Self::AlreadyCurrent { version } => {
                write!(f, "{version} is current and takes every request already")
            }
            Self::BadWeight { percent } => {
                write!(
                    f,
                    "a canary's share is between 0 and 100 percent, not {percent}"
                )
            }
            Self::Unknown { selector } => write!(f, "no snapshot of the history is `{selector}`"),
            Self::Ambiguous { selector, matches } => {
                write!(
                    f,
                    "{matches} snapshots of the history are `{selector}`: give more digits"
                )
            }
            Self::Rejected { stage, source } => write!(f, "{stage} failed: {source}"),
            Self::Panicked { stage, message } => write!(f, "{stage} panicked: {message}"),
            Self::TimedOut { stage, limit } => {
                write!(f, "{stage} took longer than the limit of {limit:?}")
            }
            Self::Source(error) => error.fmt(f),
            Self::BadVersion(text) => write!(
                f,
                "`{text}` is not a version: it is written 1.2.0, or in full v1.2.0+sha256. and 64 digits"
            ),
            Self::BadSelector(text) => write!(
                f,
                "`{text}` is not the id of a snapshot: it is written 019a3c6d2f10-ab3f9c0011223344"
            ),
        }
    }
}

impl Error for SwapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected { source, .. } => Some(&**source),
            Self::Source(error) => error.source(),
            _ => None,
        }
    }
}

/// Two errors are equal when they read the same.
impl PartialEq for SwapError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
