//! What happened to a handle's snapshots.

use crate::{SnapshotInfo, SwapError};

/// Something that happened. Sent after it did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A snapshot was built and checked, and is in the history without taking requests.
    Staged(SnapshotInfo),
    /// A snapshot was published and takes all requests.
    Published(SnapshotInfo),
    /// A publication, or what a source read, was refused.
    Rejected {
        /// Where it came from.
        origin: std::sync::Arc<str>,
        /// Why.
        error: SwapError,
    },
    /// An earlier snapshot is current again.
    RolledBack(SnapshotInfo),
    /// A canary takes a share of the requests, or another share than before.
    CanaryStarted(SnapshotInfo),
    /// The canary is current now.
    Promoted(SnapshotInfo),
    /// The canary takes no more requests.
    Aborted(SnapshotInfo),
    /// The last request that a retired snapshot had taken ended.
    Drained(SnapshotInfo),
}

impl Event {
    /// The event's name, in lower case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Staged(_) => "staged",
            Self::Published(_) => "published",
            Self::Rejected { .. } => "rejected",
            Self::RolledBack(_) => "rolled-back",
            Self::CanaryStarted(_) => "canary-started",
            Self::Promoted(_) => "promoted",
            Self::Aborted(_) => "aborted",
            Self::Drained(_) => "drained",
        }
    }

    /// The snapshot it is about; a refusal is about none.
    #[must_use]
    pub fn snapshot(&self) -> Option<&SnapshotInfo> {
        match self {
            Self::Staged(info)
            | Self::Published(info)
            | Self::RolledBack(info)
            | Self::CanaryStarted(info)
            | Self::Promoted(info)
            | Self::Aborted(info)
            | Self::Drained(info) => Some(info),
            Self::Rejected { .. } => None,
        }
    }
}
