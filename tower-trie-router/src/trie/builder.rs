//! The mutable form of a trie.
#![forbid(unsafe_code)]

use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

use super::{Trie, node::MAX_PATTERN};
use crate::pattern::{
    ConflictKey, ConstraintError, ConstraintSet, InsertError, InsertErrorKind, InsertErrors,
    Pattern,
};

/// How many gaps a builder may have however few routes it has.
const SPARE_GAPS: usize = 32;

/// Collects patterns and their values; [`build`](Self::build) freezes them
/// into a [`Trie`].
///
/// Routes can be added and removed at any time. Which of them wins on a path
/// does not depend on the order in which they came.
///
/// ```
/// use tower_trie_router::TrieBuilder;
///
/// let mut builder = TrieBuilder::new();
/// builder.insert("/users/{id:u64}", "by number")?;
/// builder.insert("/users/{name}", "by name")?;
/// assert!(builder.insert("/users/{other}", "again").is_err());
/// builder.remove("/users/{name}");
///
/// let trie = builder.build();
/// assert_eq!(trie.at("/users/7").unwrap().value, &"by number");
/// assert!(trie.at("/users/ada").is_none());
/// # Ok::<(), tower_trie_router::InsertError>(())
/// ```
#[derive(Clone)]
pub struct TrieBuilder<T> {
    constraints: ConstraintSet,
    /// Routes by number; a removed one leaves a gap.
    routes: Vec<Option<Route<T>>>,
    /// Which route each segment list belongs to.
    keys: BTreeMap<ConflictKey, usize>,
    len: usize,
}

#[derive(Debug, Clone)]
struct Route<T> {
    pattern: Pattern,
    value: T,
}

impl<T> Default for TrieBuilder<T> {
    fn default() -> Self {
        Self {
            constraints: ConstraintSet::default(),
            routes: Vec::new(),
            keys: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<T> TrieBuilder<T> {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `name` usable as a constraint, `{param:name}`, in the patterns
    /// that are inserted from now on.
    ///
    /// `accept` is asked whether a parameter's text, still percent-encoded,
    /// will do. It is called during look-ups, so it should be quick.
    ///
    /// # Errors
    /// If `name` is not an identifier, or is taken.
    pub fn constraint(
        &mut self,
        name: &str,
        accept: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), ConstraintError> {
        self.constraints.register(name, accept)
    }

    /// Adds a route. Takes time logarithmic in the number of routes.
    ///
    /// # Errors
    /// If the pattern is not well formed, or if another one matches the same
    /// paths and no order separates the two; the builder is then unchanged.
    pub fn insert(&mut self, pattern: &str, value: T) -> Result<(), InsertError> {
        let parsed = self.parse(pattern)?;
        self.insert_parsed(parsed, value)
            .map_err(|(error, _)| error)
    }

    fn parse(&self, pattern: &str) -> Result<Pattern, InsertError> {
        if pattern.len() > MAX_PATTERN {
            let kind = InsertErrorKind::TooLarge;
            let message = alloc::format!("a pattern has at most {MAX_PATTERN} bytes");
            return Err(InsertError::new(kind, "", 0..0, message));
        }
        Pattern::parse(pattern, &self.constraints)
    }

    fn insert_parsed(&mut self, pattern: Pattern, value: T) -> Result<(), (InsertError, T)> {
        let keys: Vec<_> = pattern
            .expansions()
            .iter()
            .map(|e| e.conflict_key())
            .collect();
        if let Some(other) = keys.iter().find_map(|key| self.keys.get(key)) {
            let other = self.routes[*other]
                .as_ref()
                .map_or("", |route| route.pattern.source());
            return Err((InsertError::conflict(pattern.source(), other), value));
        }
        let number = self.routes.len();
        self.keys.extend(keys.into_iter().map(|key| (key, number)));
        self.routes.push(Some(Route { pattern, value }));
        self.len += 1;
        Ok(())
    }

    /// Removes the route of `pattern`, written as it was inserted, and returns
    /// its value.
    pub fn remove(&mut self, pattern: &str) -> Option<T> {
        let number = self.number(pattern)?;
        let route = self.routes[number].take()?;
        for expansion in route.pattern.expansions() {
            self.keys.remove(&expansion.conflict_key());
        }
        self.len -= 1;
        if self.routes.len() > 2 * self.len + SPARE_GAPS {
            self.close_gaps();
        }
        Some(route.value)
    }

    /// Numbers the routes anew without the removed ones. It is done so seldom
    /// that a removal takes logarithmic time on average, and so often that
    /// routes which come and go need no more room than those that stay.
    fn close_gaps(&mut self) {
        let mut numbers = Vec::with_capacity(self.routes.len());
        let mut next = 0;
        for route in &self.routes {
            numbers.push(next);
            next += usize::from(route.is_some());
        }
        self.routes.retain(Option::is_some);
        for number in self.keys.values_mut() {
            *number = numbers[*number];
        }
    }

    /// The value of the route of `pattern`, written as it was inserted.
    #[must_use]
    pub fn get(&self, pattern: &str) -> Option<&T> {
        let number = self.number(pattern)?;
        Some(&self.routes[number].as_ref()?.value)
    }

    /// The value of the route of `pattern`, written as it was inserted, to be
    /// changed.
    #[must_use]
    pub fn get_mut(&mut self, pattern: &str) -> Option<&mut T> {
        let number = self.number(pattern)?;
        Some(&mut self.routes[number].as_mut()?.value)
    }

    /// The number of the route of `pattern`, which is written as it was inserted.
    fn number(&self, pattern: &str) -> Option<usize> {
        let wanted = self.parse(pattern).ok()?;
        let number = *self
            .keys
            .get(&wanted.expansions().first()?.conflict_key())?;
        let found = self.routes[number].as_ref()?.pattern.source();
        (found == pattern).then_some(number)
    }

    /// Takes over all routes and constraints of `other`.
    ///
    /// # Errors
    /// All routes of `other` that conflict with one that is here already, and
    /// those with a constraint whose name stands for another function here;
    /// this builder is then unchanged.
    pub fn merge(&mut self, other: Self) -> Result<(), InsertErrors> {
        let mut errors = Vec::new();
        for route in other.routes.iter().flatten() {
            errors.extend(route.pattern.clash(&self.constraints));
            let mut keys = route.pattern.expansions().iter().map(|e| e.conflict_key());
            if let Some(ours) = keys.find_map(|key| self.keys.get(&key).copied())
                && let Some(ours) = &self.routes[ours]
            {
                let (theirs, ours) = (route.pattern.source(), ours.pattern.source());
                errors.push(InsertError::conflict(theirs, ours));
            }
        }
        InsertErrors::check(errors)?;
        self.constraints.add_missing(&other.constraints);
        for route in other.routes.into_iter().flatten() {
            let number = self.routes.len();
            let keys = route.pattern.expansions().iter().map(|e| e.conflict_key());
            self.keys.extend(keys.map(|key| (key, number)));
            self.routes.push(Some(route));
            self.len += 1;
        }
        Ok(())
    }

    /// Patterns and values in the order of their insertion.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let routes = self.routes.iter().flatten();
        routes.map(|route| (route.pattern.source(), &route.value))
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Freezes the routes. Takes time linear in their number, but for sorting
    /// them.
    ///
    /// # Panics
    /// If the trie would need 4 GiB or more.
    #[must_use]
    pub fn build(self) -> Trie<T> {
        let mut routes: Vec<Route<T>> = self.routes.into_iter().flatten().collect();
        routes.sort_by(|a, b| {
            let (a, b) = (a.pattern.expansions(), b.pattern.expansions());
            a[0].segments.cmp(&b[0].segments)
        });
        let patterns: Vec<&Pattern> = routes.iter().map(|route| &route.pattern).collect();
        let tables = super::tables::Tables::new(&patterns);
        Trie::new(
            tables,
            routes.into_iter().map(|route| route.value).collect(),
        )
    }
}

impl<T: fmt::Debug> fmt::Debug for TrieBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn routes_that_come_and_go_take_no_room() {
        let mut builder = TrieBuilder::new();
        for i in 0..100 {
            builder.insert(&format!("/stays/{i}/{{a?}}"), i).unwrap();
        }
        for i in 0..10_000 {
            let pattern = format!("/goes/{i}/{{a?}}");
            builder.insert(&pattern, i).unwrap();
            assert_eq!(builder.remove(&pattern), Some(i));
        }
        assert!(builder.routes.len() <= 2 * 101 + SPARE_GAPS);
        assert_eq!(builder.len(), 100);
        for (at, (pattern, value)) in builder.clone().iter().enumerate() {
            assert_eq!((pattern, *value), (&*format!("/stays/{at}/{{a?}}"), at));
            assert_eq!(builder.get(pattern), Some(&at));
        }
    }
}
