//! A node a segment; children sorted by their labels and found by binary search.

use std::hint::black_box;

use super::{Found, PARAMS, Route, Values, parameter, split};

pub(in crate::peers) struct SegmentTrie {
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

impl crate::peers::Router for SegmentTrie {
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

impl SegmentTrie {
    fn at<'t, 'p>(&'t self, path: &'p str) -> Option<Found<'t, 'p>> {
        let mut values = [""; PARAMS];
        let route = self.root.search(path, &mut values, 0)?;
        Some(Found { route, values })
    }
}

impl Node {
    fn insert(&mut self, pattern: &str, value: usize) {
        let mut node = self;
        let mut rest = false;
        for segment in pattern.split('/').skip(1) {
            if segment.starts_with("{*") {
                rest = true;
            } else if parameter(segment).is_some() {
                node = node.param.get_or_insert_default();
            } else {
                node = node.child(segment);
            }
        }
        let slot = if rest {
            &mut node.rest
        } else {
            &mut node.route
        };
        *slot = Some(Route::new(value, pattern));
    }

    fn child(&mut self, label: &str) -> &mut Self {
        let at = match self.position(label) {
            Ok(at) => at,
            Err(at) => {
                let child = Self {
                    label: label.to_owned(),
                    ..Self::default()
                };
                self.children.insert(at, Box::new(child));
                at
            }
        };
        &mut self.children[at]
    }

    fn position(&self, label: &str) -> Result<usize, usize> {
        self.children
            .binary_search_by(|child| child.label.as_str().cmp(label))
    }

    /// `path` is empty or starts with the `/` before the next segment.
    fn search<'t, 'p>(
        &'t self,
        path: &'p str,
        values: &mut Values<'p>,
        depth: usize,
    ) -> Option<&'t Route> {
        let Some(path) = path.strip_prefix('/') else {
            return self.route.as_deref();
        };
        let (segment, more) = split(path);
        if let Ok(at) = self.position(segment)
            && let Some(route) = self.children[at].search(more, values, depth)
        {
            return Some(route);
        }
        if let Some(child) = &self.param
            && !segment.is_empty()
            && let Some(route) = child.search(more, values, depth + 1)
        {
            values[depth] = segment;
            return Some(route);
        }
        let route = self.rest.as_deref().filter(|_| !path.is_empty())?;
        values[depth] = path;
        Some(route)
    }
}
