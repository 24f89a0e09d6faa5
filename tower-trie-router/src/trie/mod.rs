//! The trie: patterns to values, paths to matches.
//!
//! SCAFFOLD: this naive implementation only fixes the public interface while
//! the arena is being written; it is replaced as a whole.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

/// Collects patterns and their values; [`build`](Self::build) freezes them into a [`Trie`].
#[derive(Debug, Clone)]
pub struct TrieBuilder<T> {
    routes: Vec<(String, T)>,
}

impl<T> Default for TrieBuilder<T> {
    fn default() -> Self {
        Self { routes: Vec::new() }
    }
}

impl<T> TrieBuilder<T> {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds `pattern`.
    pub fn insert(&mut self, pattern: &str, value: T) -> Result<(), InsertError> {
        if !pattern.starts_with('/') {
            return Err(InsertError {
                message: "a pattern starts with '/'".into(),
            });
        }
        if let Some((p, _)) = self.routes.iter().find(|(p, _)| shape(p) == shape(pattern)) {
            return Err(InsertError {
                message: alloc::format!("`{pattern}` conflicts with `{p}`"),
            });
        }
        self.routes.push((pattern.to_string(), value));
        Ok(())
    }
    /// Removes the pattern written exactly as it was inserted.
    pub fn remove(&mut self, pattern: &str) -> Option<T> {
        let i = self.routes.iter().position(|(p, _)| p == pattern)?;
        Some(self.routes.remove(i).1)
    }
    /// The value of a pattern written exactly as it was inserted.
    pub fn get(&self, pattern: &str) -> Option<&T> {
        self.routes
            .iter()
            .find(|(p, _)| p == pattern)
            .map(|(_, v)| v)
    }
    /// The value of a pattern, to be changed.
    pub fn get_mut(&mut self, pattern: &str) -> Option<&mut T> {
        self.routes
            .iter_mut()
            .find(|(p, _)| p == pattern)
            .map(|(_, v)| v)
    }
    /// The patterns and values, in insertion order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.routes.iter().map(|(p, v)| (p.as_str(), v))
    }
    /// Freezes.
    pub fn build(self) -> Trie<T> {
        let mut routes = self.routes;
        routes.sort_by_key(|(p, _)| rank(p));
        Trie { routes }
    }
}

fn shape(p: &str) -> String {
    p.split('/')
        .map(|s| {
            if s.starts_with("{*") {
                "{*}"
            } else if s.starts_with('{') {
                "{}"
            } else {
                s
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}
fn rank(p: &str) -> Vec<u8> {
    p.split('/')
        .map(|s| {
            if s.starts_with("{*") {
                2
            } else {
                u8::from(s.starts_with('{'))
            }
        })
        .collect()
}

/// A frozen set of patterns.
#[derive(Debug, Clone)]
pub struct Trie<T> {
    routes: Vec<(String, T)>,
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
        self.params.pattern
    }
    /// The number of the route.
    pub fn id(&self) -> RouteId {
        self.id
    }
}

/// The parameters of a match.
#[derive(Debug, Clone, Copy)]
pub struct Params<'t, 'p> {
    pattern: &'t str,
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
        let mut rest = captures(self.pattern, self.path).unwrap_or_default();
        rest.reverse();
        ParamsIter { rest }
    }
}

fn captures<'t, 'p>(pattern: &'t str, path: &'p str) -> Option<Vec<(&'t str, &'p str)>> {
    let mut out = Vec::new();
    let (mut pat, mut rest) = (pattern, path);
    loop {
        let p = pat.strip_prefix('/')?;
        let r = rest.strip_prefix('/')?;
        let (seg, more) = p.find('/').map_or((p, ""), |i| p.split_at(i));
        if let Some(name) = seg.strip_prefix("{*") {
            if r.is_empty() {
                return None;
            }
            out.push((name.strip_suffix('}')?, r));
            return Some(out);
        }
        let (val, rmore) = r.find('/').map_or((r, ""), |i| r.split_at(i));
        if let Some(name) = seg.strip_prefix('{') {
            if val.is_empty() {
                return None;
            }
            out.push((name.strip_suffix('}')?, val));
        } else if seg != val {
            return None;
        }
        if more.is_empty() && rmore.is_empty() {
            return Some(out);
        }
        (pat, rest) = (more, rmore);
    }
}

impl<T> Trie<T> {
    /// Finds the route that matches `path`.
    pub fn at<'t, 'p>(&'t self, path: &'p str) -> Option<Match<'t, 'p, T>> {
        self.routes.iter().enumerate().find_map(|(i, (p, v))| {
            captures(p, path).map(|_| Match {
                value: v,
                params: Params { pattern: p, path },
                id: RouteId(i as u32),
            })
        })
    }
    /// The parameters of `path` under a route that is known to match it.
    pub fn params_of<'t, 'p>(&'t self, id: RouteId, path: &'p str) -> Params<'t, 'p> {
        Params {
            pattern: &self.routes[id.0 as usize].0,
            path,
        }
    }
    /// The pattern of a route.
    pub fn pattern_of(&self, id: RouteId) -> &str {
        &self.routes[id.0 as usize].0
    }
    /// The value of a route.
    pub fn value_of(&self, id: RouteId) -> &T {
        &self.routes[id.0 as usize].1
    }
    /// Patterns and values in order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.routes.iter().map(|(p, v)| (p.as_str(), v))
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

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertError {
    message: String,
}
impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl core::error::Error for InsertError {}
