//! The settings of a handle.

use std::{sync::Arc, time::Duration};

use crate::{Check, Handle, Version, draft::Description, review::Review, store::Store};

/// Makes a [`Handle`].
#[derive(Debug)]
#[must_use = "nothing is made before `build`"]
pub struct Builder<T> {
    value: T,
    description: Description,
    history: usize,
    checks: Vec<Check<T>>,
    limit: Duration,
}

impl<T> Builder<T> {
    pub(crate) fn new(value: T, version: Version) -> Self {
        Self {
            value,
            description: Description::new(version),
            history: 16,
            checks: Vec::new(),
            limit: Duration::from_secs(10),
        }
    }

    /// How many snapshots are kept to roll back to, those in service among them; at least 1. Default: 16.
    ///
    /// Each keeps its value in memory. The least recently used goes first, and none that is in service, nor one that was
    /// just staged. With 1, what is current is kept alone, and there is nothing to roll back to.
    pub fn history(mut self, snapshots: usize) -> Self {
        self.history = snapshots.max(1);
        self
    }

    /// A check that every later candidate has to pass. Checks run in the order they are given.
    pub fn check(mut self, check: Check<T>) -> Self {
        self.checks.push(check);
        self
    }

    /// How long building, and each check, may take. Default: 10 seconds.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Where the first value came from. Default: `program`.
    pub fn origin(mut self, origin: impl Into<Arc<str>>) -> Self {
        self.description.origin = origin.into();
        self
    }

    /// A note on the first value.
    pub fn note(mut self, note: impl Into<Arc<str>>) -> Self {
        self.description.note = note.into();
        self
    }

    /// The schema that the first value follows.
    pub fn schema(mut self, schema: u32) -> Self {
        self.description.schema = Some(schema);
        self
    }

    /// The text that the first value was made from.
    pub fn content(mut self, content: impl Into<Arc<[u8]>>) -> Self {
        self.description.content = Some(content.into());
        self
    }

    /// The handle, with the value as its current snapshot.
    pub fn build(self) -> Handle<T> {
        let hash = self.description.version.hash();
        let snapshot = |id| self.description.snapshot(id, self.value);
        let store = Store::new(self.history, snapshot, hash);
        let review = Review {
            checks: self.checks,
            limit: self.limit,
        };
        Handle::new(store, review)
    }
}
