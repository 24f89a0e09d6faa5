use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A class of connections: those of one kind of listener, with a limit and descriptors of their own.
///
/// The descriptors it [reserves](Class::reserve) are never given to another class, so that a management listener has
/// room when the public one has none.
#[derive(Clone, Debug)]
pub struct Class {
    name: &'static str,
    limit: Option<u32>,
    reserve: u32,
    exempt: bool,
}

impl Class {
    /// The class with this name, without a limit or reserve. The name is what metrics and snapshots call it.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            limit: None,
            reserve: 0,
            exempt: false,
        }
    }

    /// At most so many connections of this class; 0 keeps all out. Default: no limit.
    pub fn limit(mut self, connections: u32) -> Self {
        self.limit = Some(connections);
        self
    }

    /// So many descriptors that other classes leave alone. Default 0; the limit of descriptors or more keeps all others out.
    pub fn reserve(mut self, descriptors: u32) -> Self {
        self.reserve = descriptors;
        self
    }

    /// Keeps its connections out of the limits on numbers: they neither count towards [`Limits::total`],
    /// [`Limits::per_address`] and [`Limits::per_prefix`] nor are refused by them, nor do they wait for
    /// [`Limits::accept_rate`]. What holds is the class's own [limit](Class::limit), the descriptors, and every deadline.
    /// Default: they are counted like all others.
    ///
    /// For a management listener: an operator who has reached a limit as a client, or looks on while others have, gets in.
    ///
    /// [`Limits::total`]: super::Limits::total
    /// [`Limits::per_address`]: super::Limits::per_address
    /// [`Limits::per_prefix`]: super::Limits::per_prefix
    /// [`Limits::accept_rate`]: super::Limits::accept_rate
    pub fn exempt(mut self) -> Self {
        self.exempt = true;
        self
    }

    pub(crate) fn is_exempt(&self) -> bool {
        self.exempt
    }

    pub(crate) fn max(&self) -> Option<u32> {
        self.limit
    }

    pub(crate) fn reserved(&self) -> u32 {
        self.reserve
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// A class and its connections.
#[derive(Debug)]
pub(crate) struct ClassState {
    pub(crate) class: Class,
    open: AtomicU32,
    /// Those of them that were asked to end.
    leaving: AtomicU32,
}

impl ClassState {
    pub(crate) fn new(class: Class) -> Self {
        Self {
            class,
            open: AtomicU32::new(0),
            leaving: AtomicU32::new(0),
        }
    }

    pub(crate) fn open(&self) -> u32 {
        self.open.load(Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn leaving(&self) -> u32 {
        self.leaving.load(Relaxed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.class.max().is_some_and(|limit| self.open() >= limit)
    }

    /// The part of its reserve that none of its connections uses.
    pub(crate) fn unused_reserve(&self) -> u32 {
        self.class.reserved().saturating_sub(self.open())
    }

    /// Whether the end of one more of its connections would leave a place that is kept for it.
    pub(crate) fn is_within_reserve(&self) -> bool {
        let staying = self.open().saturating_sub(self.leaving.load(Relaxed));
        self.has_reserve() && staying <= self.class.reserved()
    }

    pub(crate) fn has_reserve(&self) -> bool {
        self.class.reserved() > 0
    }

    pub(crate) fn enter(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    pub(crate) fn will_leave(&self) {
        self.leaving.fetch_add(1, Relaxed);
    }

    /// One has left, of which that was known or not.
    pub(crate) fn leave(&self, was_leaving: bool) {
        self.open.fetch_sub(1, Relaxed);
        if was_leaving {
            self.leaving.fetch_sub(1, Relaxed);
        }
    }
}
