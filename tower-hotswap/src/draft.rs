//! What is to be published.

use std::{fmt, sync::Arc};

use crate::{BoxError, Snapshot, SnapshotId, SnapshotInfo, Version};

type Build<T> = dyn FnOnce() -> Result<T, BoxError> + Send;

/// A value to be published, or how to make it, and what is known about it.
pub struct Draft<T> {
    pub(crate) description: Description,
    pub(crate) expected: Option<Expected>,
    pub(crate) build: Box<Build<T>>,
}

/// What a publisher saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// This snapshot was current.
    Snapshot(SnapshotId),
    /// This was the [revision](crate::Handle::revision): nothing at all may have changed since.
    Revision(u64),
}

impl From<SnapshotId> for Expected {
    fn from(id: SnapshotId) -> Self {
        Self::Snapshot(id)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(id) => write!(f, "snapshot {id}"),
            Self::Revision(revision) => write!(f, "revision {revision}"),
        }
    }
}

/// What is known about a snapshot before it has an id.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) version: Version,
    pub(crate) schema: Option<u32>,
    pub(crate) origin: Arc<str>,
    pub(crate) note: Arc<str>,
    pub(crate) content: Option<Arc<[u8]>>,
}

impl Description {
    pub(crate) fn new(version: Version) -> Self {
        Self {
            version,
            schema: None,
            origin: "program".into(),
            note: "".into(),
            content: None,
        }
    }

    pub(crate) fn snapshot<T>(self, id: SnapshotId, value: T) -> Snapshot<T> {
        let info = SnapshotInfo {
            id,
            version: self.version,
            schema: self.schema,
            origin: self.origin,
            note: self.note,
            content: self.content,
        };
        Snapshot::new(info, value)
    }
}

impl<T> Draft<T> {
    /// A value that is there already.
    pub fn new(version: Version, value: T) -> Self
    where
        T: Send + 'static,
    {
        Self::build(version, || Ok(value))
    }

    /// A value to be built when the draft is published: on a thread for blocking work, so that it may take its time,
    /// and may panic.
    pub fn build(
        version: Version,
        build: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
    ) -> Self {
        Self {
            description: Description::new(version),
            expected: None,
            build: Box::new(build),
        }
    }

    /// Publishes only if what the publisher saw is current at that moment.
    #[must_use]
    pub fn expecting(mut self, seen: impl Into<Expected>) -> Self {
        self.expected = Some(seen.into());
        self
    }

    /// The schema that the content follows, for [`checks::schema`](crate::checks::schema).
    #[must_use]
    pub fn schema(mut self, schema: u32) -> Self {
        self.description.schema = Some(schema);
        self
    }

    /// Where it comes from. Default: `program`.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<Arc<str>>) -> Self {
        self.description.origin = origin.into();
        self
    }

    /// Why it is made, for the history.
    #[must_use]
    pub fn note(mut self, note: impl Into<Arc<str>>) -> Self {
        self.description.note = note.into();
        self
    }

    /// The text it is made from, kept in the history so that versions can be compared. Leave it out if it has secrets.
    #[must_use]
    pub fn content(mut self, content: impl Into<Arc<[u8]>>) -> Self {
        self.description.content = Some(content.into());
        self
    }
}

impl<T> fmt::Debug for Draft<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("version", &self.description.version)
            .field("origin", &self.description.origin)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}
