//! The routes of one host of a router that is still being put together.

use std::sync::Arc;

use super::{
    constraints::{Accept, Constraints, register},
    error::{RouteError, RouteErrorKind},
    matched::NEST_TAIL,
    methods::MethodTable,
    prefix::{join, join_prefix},
};
use crate::{ConstraintError, TrieBuilder};

/// The routes of one host.
#[derive(Debug, Clone)]
pub(crate) struct Table<E> {
    /// The patterns and their places in `entries`.
    pub(crate) trie: TrieBuilder<u32>,
    pub(crate) entries: Vec<Entry<E>>,
    pub(crate) fallbacks: Fallbacks<E>,
}

/// What answers where no pattern matches.
#[derive(Debug, Clone)]
pub(crate) struct Fallbacks<E> {
    /// Anywhere.
    pub(crate) whole: Option<E>,
    /// Below a prefix.
    pub(crate) below: Vec<(String, E)>,
    /// The patterns of what is below a prefix and their places in `below`.
    pub(crate) trie: TrieBuilder<u32>,
}

impl<E> Default for Fallbacks<E> {
    fn default() -> Self {
        Self {
            whole: None,
            below: Vec::new(),
            trie: TrieBuilder::new(),
        }
    }
}

/// One pattern.
#[derive(Debug, Clone)]
pub(crate) struct Entry<E> {
    pub(crate) pattern: String,
    pub(crate) methods: MethodTable<E>,
    pub(crate) kind: Kind,
}

/// What stands behind a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Endpoints by method.
    Route,
    /// A nested service, whose pattern is its prefix and what is below it.
    NestedService,
    /// An answer to what no pattern matches.
    Fallback,
}

impl<E> Entry<E> {
    pub(crate) fn new(pattern: impl Into<String>, methods: MethodTable<E>) -> Self {
        Self {
            pattern: pattern.into(),
            methods,
            kind: Kind::Route,
        }
    }
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Self {
            trie: TrieBuilder::new(),
            entries: Vec::new(),
            fallbacks: Fallbacks::default(),
        }
    }
}

impl<E> Table<E> {
    /// No routes yet; their patterns may name the constraints.
    pub(crate) fn with(constraints: &Constraints) -> Self {
        let mut table = Self::default();
        constraints.add_to(&mut table.trie);
        constraints.add_to(&mut table.fallbacks.trie);
        table
    }

    /// Makes a constraint usable in the patterns that follow.
    pub(crate) fn constraint(
        &mut self,
        name: &str,
        accept: &Arc<Accept>,
    ) -> Result<(), ConstraintError> {
        register(&mut self.trie, name, accept)?;
        register(&mut self.fallbacks.trie, name, accept)
    }

    /// Adds a pattern, or the methods of a pattern that is there already.
    pub(crate) fn add(&mut self, entry: Entry<E>, errors: &mut Vec<RouteError>) {
        if let Some(&at) = self.trie.get(&entry.pattern) {
            let taken = self.entries[at as usize].methods.merge(entry.methods);
            errors.extend(taken.into_iter().map(|method| {
                RouteError::new(&entry.pattern, RouteErrorKind::MethodTaken { method })
            }));
            return;
        }
        let at =
            u32::try_from(self.entries.len()).expect("fewer than 2^32 patterns fit into memory");
        match self.trie.insert(&entry.pattern, at) {
            Ok(()) => self.entries.push(entry),
            Err(error) => errors.push(RouteError::new(
                entry.pattern,
                RouteErrorKind::Pattern(error),
            )),
        }
    }

    /// Takes over everything of `other`, below `prefix` (empty: where it is).
    pub(crate) fn absorb(&mut self, prefix: &str, other: Self, errors: &mut Vec<RouteError>) {
        for mut entry in other.entries {
            entry.pattern = join(prefix, &entry.pattern);
            self.add(entry, errors);
        }
        let whole = other.fallbacks.whole.map(|whole| (String::new(), whole));
        for (inner, endpoint) in whole.into_iter().chain(other.fallbacks.below) {
            let prefix = join_prefix(prefix, &inner);
            self.fallbacks.add(prefix, endpoint, errors);
        }
    }

    pub(crate) fn map<F>(self, map: &mut impl FnMut(Kind, E) -> F) -> Table<F> {
        Table {
            trie: self.trie,
            entries: self
                .entries
                .into_iter()
                .map(|entry| Entry {
                    pattern: entry.pattern,
                    methods: entry.methods.map(|endpoint| map(entry.kind, endpoint)),
                    kind: entry.kind,
                })
                .collect(),
            fallbacks: self.fallbacks.map(|endpoint| map(Kind::Fallback, endpoint)),
        }
    }
}

impl<E> Fallbacks<E> {
    fn add(&mut self, prefix: String, endpoint: E, errors: &mut Vec<RouteError>) {
        if prefix.is_empty() {
            match &mut self.whole {
                Some(_) => errors.push(RouteError::new("/", RouteErrorKind::FallbackTaken)),
                none => *none = Some(endpoint),
            }
            return;
        }
        let at = u32::try_from(self.below.len()).expect("fewer than 2^32 fit into memory");
        for end in ["", "/", &format!("/{{*{NEST_TAIL}}}")] {
            if self.trie.insert(&format!("{prefix}{end}"), at).is_err() {
                errors.push(RouteError::new(prefix, RouteErrorKind::FallbackTaken));
                return;
            }
        }
        self.below.push((prefix, endpoint));
    }

    fn map<F>(self, mut map: impl FnMut(E) -> F) -> Fallbacks<F> {
        Fallbacks {
            whole: self.whole.map(&mut map),
            below: self
                .below
                .into_iter()
                .map(|(prefix, endpoint)| (prefix, map(endpoint)))
                .collect(),
            trie: self.trie,
        }
    }
}
