//! Tries as one writes them first: every node a heap block of its own, reached by a pointer.
//!
//! Both decide as our trie does (static, then parameter, then catch-all, with
//! backtracking) and give their parameters without allocating. What differs is
//! what the locality suite is about: labels and nodes lie where the allocator
//! put them, instead of in one array of aligned cache lines.

mod bytes;
mod segments;

pub(super) use bytes::ByteTrie;
pub(super) use segments::SegmentTrie;

/// As many parameters as any set has.
const PARAMS: usize = 8;

/// What a look-up writes its parameters' values to.
type Values<'p> = [&'p str; PARAMS];

/// The end of a pattern.
struct Route {
    value: usize,
    names: Vec<String>,
}

impl Route {
    fn new(value: usize, pattern: &str) -> Box<Self> {
        let names = pattern.split('/').filter_map(parameter);
        let names = names.map(str::to_owned).collect();
        Box::new(Self { value, names })
    }
}

/// The name of a `{name}` or `{*name}` segment.
fn parameter(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    Some(name.strip_prefix('*').unwrap_or(name))
}

/// The text up to the next `/`, and the text from it on.
fn split(path: &str) -> (&str, &str) {
    let end = path.bytes().position(|byte| byte == b'/');
    path.split_at(end.unwrap_or(path.len()))
}

/// What a look-up found; handed to `black_box` as the other routers' matches are.
struct Found<'t, 'p> {
    route: &'t Route,
    values: Values<'p>,
}

impl Found<'_, '_> {
    fn read(&self, mut see: impl FnMut(&str, &str)) -> usize {
        for (name, value) in self.route.names.iter().zip(self.values) {
            see(name, value);
        }
        self.route.value
    }
}
