//! What was published: a value and what is known about it.

use std::{ops::Deref, sync::Arc, time::SystemTime};

use crate::{SnapshotId, Version};

/// What is known about a snapshot, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// Names this publication.
    pub id: SnapshotId,
    /// Names its content.
    pub version: Version,
    /// The schema its content follows, where one was given.
    pub schema: Option<u32>,
    /// Where it came from: a file, a URL, a person.
    pub origin: Arc<str>,
    /// Why it was made, in free words.
    pub note: Arc<str>,
    /// The text it was made from, where it was given.
    pub content: Option<Arc<[u8]>>,
}

impl SnapshotInfo {
    /// When it was made.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        self.id.created()
    }
}

/// An immutable value under a version: a service, a layer, a configuration, certificates.
///
/// Dereferences to what is known about it.
#[derive(Debug)]
pub struct Snapshot<T> {
    info: SnapshotInfo,
    value: T,
}

impl<T> Snapshot<T> {
    pub(crate) fn new(info: SnapshotInfo, value: T) -> Self {
        Self { info, value }
    }

    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// What is known about it.
    pub fn info(&self) -> &SnapshotInfo {
        &self.info
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = SnapshotInfo;

    fn deref(&self) -> &SnapshotInfo {
        &self.info
    }
}

/// Names a snapshot of the history: by its id, its exact version, or a text that can mean either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// One publication.
    Id(SnapshotId),
    /// The newest publication of a version.
    Version(Version),
    /// An id, a version, or a version whose hash is cut short to eight digits or more.
    Text(String),
}

/// The digits of a hash that a text has to give at least.
const LEAST_DIGITS: usize = 8;

impl Selector {
    pub(crate) fn matches(&self, info: &SnapshotInfo) -> bool {
        match self {
            Self::Id(id) => *id == info.id,
            Self::Version(version) => *version == info.version,
            Self::Text(text) => {
                if text.contains("+sha256.") {
                    let version = info.version.to_string();
                    let prefix = version.len() - 64 + LEAST_DIGITS;
                    let text = text.strip_prefix('v').unwrap_or(text);
                    text.len() + 1 >= prefix && version[1..].starts_with(text)
                } else {
                    text.parse() == Ok(info.id)
                }
            }
        }
    }
}

impl From<SnapshotId> for Selector {
    fn from(id: SnapshotId) -> Self {
        Self::Id(id)
    }
}

impl From<Version> for Selector {
    fn from(version: Version) -> Self {
        Self::Version(version)
    }
}

impl From<&Version> for Selector {
    fn from(version: &Version) -> Self {
        Self::Version(version.clone())
    }
}

impl From<&SnapshotInfo> for Selector {
    fn from(info: &SnapshotInfo) -> Self {
        Self::Id(info.id)
    }
}

impl From<&str> for Selector {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Version(version) => version.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}
