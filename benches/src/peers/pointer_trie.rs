//! A segment trie as one writes it first: every node a heap block of its own, reached by a pointer.
//!
//! It makes the same decisions as our trie (static, then parameter, then
//! catch-all, with backtracking) a segment at a time, with its children sorted
//! and found by binary search, and gives its parameters without allocating.
//! What differs is what the locality suite is about: labels and nodes lie where
//! the allocator put them, instead of in one array of aligned cache lines.

use std::hint::black_box;

/// As many parameters as any set has; more would be dropped.
const PARAMS: usize = 8;

pub(super) struct PointerTrie {
    root: Box<Node>,
}

#[derive(Default)]
#[expect(clippy::vec_box, reason = "a pointer a child is what is compared with")]
struct Node {
    label: String,
    children: Vec<Box<Node>>,
    param: Option<Box<Node>>,
    rest: Option<Box<Route>>,
    route: Option<Box<Route>>,
}

struct Route {
    value: usize,
    names: Vec<String>,
}

struct Found<'t, 'p> {
    route: &'t Route,
    values: [&'p str; PARAMS],
}

impl super::Router for PointerTrie {
    fn build(patterns: &[String]) -> Self {
        let mut root = Box::<Node>::default();
        for (value, pattern) in patterns.iter().enumerate() {
            root.insert(pattern, value);
        }
        Self { root }
    }

    #[inline]
    fn find(&self, path: &str) -> Option<usize> {
        let found = self.at(path)?;
        Some(black_box(found).route.value)
    }

    #[inline]
    fn read(&self, path: &str, mut see: impl FnMut(&str, &str)) -> Option<usize> {
        let found = black_box(self.at(path)?);
        for (name, value) in found.route.names.iter().zip(found.values) {
            see(name, value);
        }
        Some(found.route.value)
    }
}

impl PointerTrie {
    fn at<'t, 'p>(&'t self, path: &'p str) -> Option<Found<'t, 'p>> {
        let mut values = [""; PARAMS];
        let route = self.root.search(path.strip_prefix('/')?, &mut values, 0)?;
        Some(Found { route, values })
    }
}

impl Node {
    fn insert(&mut self, pattern: &str, value: usize) {
        let mut names = Vec::new();
        let mut node = self;
        let mut rest = false;
        for segment in pattern.split('/').skip(1) {
            if let Some(name) = segment.strip_prefix("{*") {
                names.push(name.trim_end_matches('}').to_owned());
                rest = true;
            } else if let Some(name) = segment.strip_prefix('{') {
                names.push(name.trim_end_matches('}').to_owned());
                node = node.param.get_or_insert_default();
            } else {
                let at = match node
                    .children
                    .binary_search_by(|child| child.label.as_str().cmp(segment))
                {
                    Ok(at) => at,
                    Err(at) => {
                        let label = segment.to_owned();
                        let child = Box::new(Self {
                            label,
                            ..Self::default()
                        });
                        node.children.insert(at, child);
                        at
                    }
                };
                node = &mut node.children[at];
            }
        }
        let slot = if rest {
            &mut node.rest
        } else {
            &mut node.route
        };
        *slot = Some(Box::new(Route { value, names }));
    }

    fn search<'t, 'p>(
        &'t self,
        path: &'p str,
        values: &mut [&'p str; PARAMS],
        depth: usize,
    ) -> Option<&'t Route> {
        let (segment, more) = match path.split_once('/') {
            Some((segment, more)) => (segment, Some(more)),
            None => (path, None),
        };
        if let Ok(at) = self
            .children
            .binary_search_by(|child| child.label.as_str().cmp(segment))
            && let Some(route) = self.children[at].descend(more, values, depth)
        {
            return Some(route);
        }
        if let Some(child) = &self.param
            && !segment.is_empty()
            && let Some(route) = child.descend(more, values, depth + 1)
        {
            values[depth] = segment;
            return Some(route);
        }
        let route = self.rest.as_deref()?;
        if path.is_empty() {
            return None;
        }
        values[depth] = path;
        Some(route)
    }

    fn descend<'t, 'p>(
        &'t self,
        more: Option<&'p str>,
        values: &mut [&'p str; PARAMS],
        depth: usize,
    ) -> Option<&'t Route> {
        match more {
            Some(more) => self.search(more, values, depth),
            None => self.route.as_deref(),
        }
    }
}
