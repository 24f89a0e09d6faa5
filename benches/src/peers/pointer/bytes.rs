//! The textbook's trie: a node a byte, its children in a list.

use std::hint::black_box;

use super::{Found, PARAMS, Route, Values, parameter, split};

pub(in crate::peers) struct ByteTrie {
    root: Box<Node>,
}

#[derive(Default)]
struct Node {
    children: Vec<(u8, Box<Node>)>,
    param: Option<Box<Node>>,
    rest: Option<Box<Route>>,
    route: Option<Box<Route>>,
}

impl crate::peers::Router for ByteTrie {
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
    fn read(&self, path: &str, see: impl FnMut(&str, &str)) -> Option<usize> {
        Some(black_box(self.at(path)?).read(see))
    }
}

impl ByteTrie {
    fn at<'t, 'p>(&'t self, path: &'p str) -> Option<Found<'t, 'p>> {
        let mut values = [""; PARAMS];
        let route = self.root.search(path, 0, &mut values, 0)?;
        Some(Found { route, values })
    }
}

impl Node {
    fn insert(&mut self, pattern: &str, value: usize) {
        let mut node = self;
        let mut rest = false;
        for segment in pattern.split('/').skip(1) {
            node = node.child(b'/');
            if segment.starts_with("{*") {
                rest = true;
            } else if parameter(segment).is_some() {
                node = node.param.get_or_insert_default();
            } else {
                for byte in segment.bytes() {
                    node = node.child(byte);
                }
            }
        }
        let slot = if rest {
            &mut node.rest
        } else {
            &mut node.route
        };
        *slot = Some(Route::new(value, pattern));
    }

    fn child(&mut self, byte: u8) -> &mut Self {
        let at = match self.children.iter().position(|(key, _)| *key == byte) {
            Some(at) => at,
            None => {
                self.children.push((byte, Box::default()));
                self.children.len() - 1
            }
        };
        &mut self.children[at].1
    }

    fn next(&self, byte: u8) -> Option<&Self> {
        let (_, child) = self.children.iter().find(|(key, _)| *key == byte)?;
        Some(child)
    }

    /// Looks up what follows the first `at` bytes of `path`.
    fn search<'t, 'p>(
        &'t self,
        path: &'p str,
        mut at: usize,
        values: &mut Values<'p>,
        depth: usize,
    ) -> Option<&'t Route> {
        let mut node = self;
        loop {
            let Some(&byte) = path.as_bytes().get(at) else {
                return node.route.as_deref();
            };
            if node.param.is_some() || node.rest.is_some() {
                break;
            }
            node = node.next(byte)?;
            at += 1;
        }
        // A choice: only here is it necessary to come back.
        if let Some(child) = node.next(path.as_bytes()[at])
            && let Some(route) = child.search(path, at + 1, values, depth)
        {
            return Some(route);
        }
        // A parameter starts after a `/`, which is a character's boundary.
        let tail = &path[at..];
        let (segment, _) = split(tail);
        if let Some(child) = &node.param
            && !segment.is_empty()
            && let Some(route) = child.search(path, at + segment.len(), values, depth + 1)
        {
            values[depth] = segment;
            return Some(route);
        }
        let route = node.rest.as_deref()?;
        values[depth] = tail;
        Some(route)
    }
}
