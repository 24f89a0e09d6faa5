//! The trie: patterns to values, paths to matches.
//!
//! SCAFFOLD: this naive implementation only fixes the public interface while
//! the arena is being written; it is replaced as a whole.

use alloc::vec::Vec;

use crate::pattern::{ConstraintError, ConstraintSet, InsertError, Pattern, Segment};

/// Collects patterns and their values; [`build`](Self::build) freezes them into a [`Trie`].
#[derive(Debug, Clone)]
pub struct TrieBuilder<T> {
    constraints: ConstraintSet,
    routes: Vec<(Pattern, T)>,
}

impl<T> Default for TrieBuilder<T> {
    fn default() -> Self {
        Self {
            constraints: ConstraintSet::default(),
            routes: Vec::new(),
        }
    }
}

impl<T> TrieBuilder<T> {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }
    /// Registers a constraint.
    pub fn constraint(
        &mut self,
        name: &str,
        accept: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), ConstraintError> {
        self.constraints.register(name, accept)
    }
    /// Adds `pattern`.
    pub fn insert(&mut self, pattern: &str, value: T) -> Result<(), InsertError> {
        let pattern = Pattern::parse(pattern, &self.constraints)?;
        for (other, _) in &self.routes {
            for theirs in other.expansions() {
                for ours in pattern.expansions() {
                    if ours.conflict_key() == theirs.conflict_key() {
                        return Err(InsertError::conflict(pattern.source(), other.source()));
                    }
                }
            }
        }
        self.routes.push((pattern, value));
        Ok(())
    }
    /// Removes the pattern written exactly as it was inserted.
    pub fn remove(&mut self, pattern: &str) -> Option<T> {
        let i = self
            .routes
            .iter()
            .position(|(p, _)| p.source() == pattern)?;
        Some(self.routes.remove(i).1)
    }
    /// The value of a pattern written exactly as it was inserted.
    pub fn get(&self, pattern: &str) -> Option<&T> {
        self.iter().find(|(p, _)| *p == pattern).map(|(_, v)| v)
    }
    /// The value of a pattern, to be changed.
    pub fn get_mut(&mut self, pattern: &str) -> Option<&mut T> {
        self.routes
            .iter_mut()
            .find(|(p, _)| p.source() == pattern)
            .map(|(_, v)| v)
    }
    /// The patterns and values, in insertion order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.routes.iter().map(|(p, v)| (p.source(), v))
    }
    /// Freezes.
    pub fn build(self) -> Trie<T> {
        let routes = self.routes;
        let mut entries: Vec<(Vec<Segment>, u32)> = Vec::new();
        for (i, (p, _)) in routes.iter().enumerate() {
            for e in p.expansions() {
                entries.push((e.segments.clone(), i as u32));
            }
        }
        entries.sort();
        Trie { routes, entries }
    }
}

/// A frozen set of patterns.
#[derive(Debug, Clone)]
pub struct Trie<T> {
    routes: Vec<(Pattern, T)>,
    entries: Vec<(Vec<Segment>, u32)>,
}

/// A route's number within its trie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteId(u32);

/// What [`Trie::at`] found.
#[derive(Debug, Clone, Copy)]
pub struct Match<'t, 'p, T> {
    /// The value of the pattern that matched.
    pub value: &'t T,
    /// The path's parameters.
    pub params: Params<'t, 'p>,
    id: RouteId,
}

impl<'t, T> Match<'t, '_, T> {
    /// The pattern that matched, as it was inserted.
    pub fn pattern(&self) -> &'t str {
        self.params.pattern.source()
    }
    /// The number of the route.
    pub fn id(&self) -> RouteId {
        self.id
    }
}

/// The parameters of a match.
#[derive(Debug, Clone, Copy)]
pub struct Params<'t, 'p> {
    pattern: &'t Pattern,
    segments: &'t [Segment],
    path: &'p str,
}

/// Iterates over [`Params`].
#[derive(Debug, Clone)]
pub struct ParamsIter<'t, 'p> {
    rest: Vec<(&'t str, &'p str)>,
}

impl<'t, 'p> Iterator for ParamsIter<'t, 'p> {
    type Item = (&'t str, &'p str);
    fn next(&mut self) -> Option<Self::Item> {
        self.rest.pop()
    }
}

impl<'t, 'p> Params<'t, 'p> {
    /// The raw (still percent-encoded) value of the parameter called `name`.
    pub fn get(&self, name: &str) -> Option<&'p str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Names and raw values, from left to right.
    pub fn iter(&self) -> ParamsIter<'t, 'p> {
        let mut rest = captures(self.pattern, self.segments, self.path).unwrap_or_default();
        rest.reverse();
        ParamsIter { rest }
    }
}

fn captures<'t, 'p>(
    pattern: &'t Pattern,
    segments: &[Segment],
    path: &'p str,
) -> Option<Vec<(&'t str, &'p str)>> {
    let mut out = Vec::new();
    let mut rest = Some(path.strip_prefix('/')?);
    for segment in segments {
        let text = rest?;
        let (mut text, mut more) = text
            .split_once('/')
            .map_or((text, None), |(text, more)| (text, Some(more)));
        match segment {
            Segment::Static(literal) if **literal == *text => {}
            Segment::Static(_) => return None,
            Segment::Dynamic(segment) => {
                if segment.is_catch_all() {
                    (text, more) = (rest?, None);
                }
                if !segment.matches(text) {
                    return None;
                }
                for index in 0..segment.param_count() {
                    let (start, end) = segment.captures(text, index);
                    out.push((&*pattern.names()[out.len()], &text[start..end]));
                }
            }
        }
        rest = more;
    }
    rest.is_none().then_some(out)
}

impl<T> Trie<T> {
    /// Finds the route that matches `path`.
    pub fn at<'t, 'p>(&'t self, path: &'p str) -> Option<Match<'t, 'p, T>> {
        (0..self.entries.len() as u32).map(RouteId).find_map(|id| {
            let params = self.params_of(id, path);
            captures(params.pattern, params.segments, path).map(|_| Match {
                value: self.value_of(id),
                params,
                id,
            })
        })
    }
    fn route(&self, id: RouteId) -> &(Pattern, T) {
        &self.routes[self.entries[id.0 as usize].1 as usize]
    }
    /// The parameters of `path` under a route that is known to match it.
    pub fn params_of<'t, 'p>(&'t self, id: RouteId, path: &'p str) -> Params<'t, 'p> {
        Params {
            pattern: &self.route(id).0,
            segments: &self.entries[id.0 as usize].0,
            path,
        }
    }
    /// The pattern of a route.
    pub fn pattern_of(&self, id: RouteId) -> &str {
        self.route(id).0.source()
    }
    /// The value of a route.
    pub fn value_of(&self, id: RouteId) -> &T {
        &self.route(id).1
    }
    /// Patterns and values in order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.routes.iter().map(|(p, v)| (p.source(), v))
    }
    /// How many routes.
    pub fn len(&self) -> usize {
        self.routes.len()
    }
    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }
}
