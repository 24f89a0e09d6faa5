//! The immutable form of a trie, and what a look-up in it finds.
//!
//! Unsafe here is only the last step of a look-up: the leaf that it found names
//! a value, and [`Params`] trust the leaf and the ends that they are given.

use alloc::boxed::Box;
use core::fmt;

use super::{
    TrieBuilder,
    node::NO_LEAF,
    params::Params,
    slashes::{Native, Portable, first_ends},
    tables::Tables,
    walk::{Uncounted, find},
};

/// A frozen set of routes: patterns and their values.
///
/// It is immutable and has no interior mutability, so any number of threads
/// can look paths up at once, and a new one can be swapped in for an old one
/// as a whole.
#[derive(Clone)]
pub struct Trie<T> {
    tables: Tables,
    /// By number of route, which is the order of precedence.
    values: Box<[T]>,
}

/// The number of a route in its trie: an index from 0 in order of precedence,
/// with the set of optional segments that the path had.
///
/// Together with the path it stands for a [`Match`] that outlives the borrow of
/// the trie; see [`Trie::params_of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(u32);

/// What [`Trie::at`] found.
pub struct Match<'t, 'p, T> {
    /// The value of the route.
    pub value: &'t T,
    /// The path's parameters.
    pub params: Params<'t, 'p>,
}

impl<T> Trie<T> {
    pub(super) fn new(tables: Tables, values: Box<[T]>) -> Self {
        Self { tables, values }
    }

    /// A builder for a trie.
    #[must_use]
    pub fn builder() -> TrieBuilder<T> {
        TrieBuilder::new()
    }

    /// Finds the route that matches `path` and goes before all others that do.
    ///
    /// `path` is taken as it is: nothing is decoded, and `//`, `.` and `..` are
    /// segments like others. Without a leading slash it matches nothing.
    ///
    /// Allocates nothing, and takes time linear in the path's length, times the
    /// number of places in the trie that fit it, which is one unless patterns
    /// overlap, and never more than the trie has.
    #[inline]
    pub fn at<'t, 'p>(&'t self, path: &'p str) -> Option<Match<'t, 'p, T>> {
        let (leaf, ends) = self.tables.find(path);
        self.found(leaf, ends, path)
    }

    /// [`at`](Self::at) without SIMD instructions, as on a processor that has none.
    #[doc(hidden)]
    pub fn at_portable<'t, 'p>(&'t self, path: &'p str) -> Option<Match<'t, 'p, T>> {
        let (leaf, ends) = find::<Portable>(&self.tables, path, &mut Uncounted);
        self.found(leaf, ends, path)
    }

    /// [`at`](Self::at), and how many steps it took: how often a segment was
    /// looked at in a place of the trie.
    #[doc(hidden)]
    pub fn at_counted<'t, 'p>(&'t self, path: &'p str) -> (Option<Match<'t, 'p, T>>, usize) {
        let mut steps = 0;
        let (leaf, ends) = find::<Native>(&self.tables, path, &mut steps);
        (self.found(leaf, ends, path), steps)
    }

    #[inline(always)]
    fn found<'t, 'p>(&'t self, leaf: u32, ends: u64, path: &'p str) -> Option<Match<'t, 'p, T>> {
        if leaf == NO_LEAF {
            return None;
        }
        Some(Match {
            // SAFETY: routes of leaves are numbers of values: both were made
            // from one list.
            value: unsafe { self.values.get_unchecked(self.route(leaf)) },
            // SAFETY: `find` gave the leaf and the ends of this path, which
            // starts with a slash.
            params: unsafe { Params::new(&self.tables, leaf, path, ends) },
        })
    }

    /// The route that a leaf belongs to.
    #[inline(always)]
    fn route(&self, leaf: u32) -> usize {
        // The first leaf of each route has the route's number.
        if (leaf as usize) < self.values.len() {
            leaf as usize
        } else {
            self.tables.leaf(leaf).route as usize
        }
    }

    /// The parameters of `path` under a route that matches it.
    ///
    /// Where the route does not match the path, the values are unspecified.
    ///
    /// # Panics
    /// If `id` is from another trie and this one has no such route.
    #[must_use]
    pub fn params_of<'t, 'p>(&'t self, id: RouteId, path: &'p str) -> Params<'t, 'p> {
        assert!(
            (id.0 as usize) < self.tables.leaves.len(),
            "{id:?} is from another trie"
        );
        // No route matches a path without a slash.
        let path = if path.starts_with('/') { path } else { "" };
        let ends = first_ends::<Native>(path.as_bytes());
        // SAFETY: the leaf was just checked, and these are the path's ends: at
        // least the slash that it starts with, or the end of the empty path.
        unsafe { Params::new(&self.tables, id.0, path, ends) }
    }

    /// The pattern of a route, as it was inserted.
    ///
    /// # Panics
    /// If `id` is from another trie and this one has no such route.
    #[must_use]
    pub fn pattern_of(&self, id: RouteId) -> &str {
        self.tables.pattern(self.tables.leaf(id.0))
    }

    /// The value of a route.
    ///
    /// # Panics
    /// If `id` is from another trie and this one has no such route.
    #[must_use]
    pub fn value_of(&self, id: RouteId) -> &T {
        &self.values[self.route(id.0)]
    }

    /// Patterns and values in order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let leaves = self.tables.leaves.iter();
        leaves
            .zip(&self.values)
            .map(|(leaf, value)| (self.tables.pattern(leaf), value))
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl Tables {
    /// Not generic, so that it is compiled once, in this crate.
    #[inline(never)]
    fn find(&self, path: &str) -> (u32, u64) {
        find::<Native>(self, path, &mut Uncounted)
    }
}

impl<T: fmt::Debug> fmt::Debug for Trie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'t, T> Match<'t, '_, T> {
    /// The pattern of the route, as it was inserted.
    #[must_use]
    pub fn pattern(&self) -> &'t str {
        self.params.pattern()
    }

    /// The number of the route.
    #[must_use]
    pub fn id(&self) -> RouteId {
        RouteId(self.params.leaf_number())
    }
}

impl<T> Clone for Match<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Match<'_, '_, T> {}

impl<T: fmt::Debug> fmt::Debug for Match<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match")
            .field("pattern", &self.pattern())
            .field("value", &self.value)
            .field("params", &self.params)
            .finish()
    }
}
