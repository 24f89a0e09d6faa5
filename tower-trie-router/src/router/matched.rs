//! What the router leaves in a request's extensions.

use std::{fmt, sync::Arc};

use http::uri::PathAndQuery;

use crate::{ParamsIter, RouteId, Trie};

/// The name of the catch-all behind a nested service; it is never shown as a parameter.
pub(crate) const NEST_TAIL: &str = "__nest_tail";

/// The tries of a router, apart from what they lead to: all that a match needs to be read later.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) hosts: Option<Trie<u32>>,
    pub(crate) tables: Vec<Map>,
}

/// The tries of one host.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) routes: Trie<u32>,
    pub(crate) fallbacks: Trie<u32>,
}

/// Which trie of which table matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) table: u32,
    pub(crate) fallback: bool,
    pub(crate) route: RouteId,
}

impl Maps {
    fn trie(&self, place: Place) -> &Trie<u32> {
        let map = &self.tables[place.table as usize];
        if place.fallback {
            &map.fallbacks
        } else {
            &map.routes
        }
    }
}

/// A host that matched.
#[derive(Debug)]
pub(crate) struct HostMatch {
    pub(crate) route: RouteId,
    /// The name in lower case, without port.
    pub(crate) name: String,
    /// Its labels from right to left, as a path.
    pub(crate) reversed: String,
}

/// The text that was matched, kept for as long as its parameters may be read.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    /// The pattern has no parameter.
    None,
    /// The path of the request, if it is short: a copy into the extension, which is allocated
    /// anyway, costs less than a share of the request's own text.
    Short { length: u8, bytes: Short },
    /// The path of the request, if it is long.
    Long(PathAndQuery),
    /// The path of the request without the slash at its end.
    WithoutSlash(PathAndQuery),
    /// A path that was normalised or given a slash.
    Owned(Arc<str>),
}

/// The length in bytes up to which a path is copied. A multiple of 16, see [`Text::as_str`].
const SHORT: usize = 64;

/// The bytes of a short path, then zeros.
#[derive(Debug, Clone, Copy)]
#[repr(align(8))]
pub(crate) struct Short([u8; SHORT]);

impl Text {
    /// The path of a request.
    #[inline]
    pub(crate) fn of(target: &PathAndQuery) -> Self {
        let path = target.path().as_bytes();
        if path.len() > SHORT {
            return Self::Long(target.clone());
        }
        let mut bytes = [0; SHORT];
        bytes[..path.len()].copy_from_slice(path);
        let length = path.len() as u8;
        let bytes = Short(bytes);
        Self::Short { length, bytes }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            Self::Short { length, bytes } => {
                // Checked with the zeros after it up to a multiple of 16: words from an aligned
                // address on are checked two at a time, what is left over byte by byte.
                let length = usize::from(*length);
                let padded = std::str::from_utf8(&bytes.0[..length.next_multiple_of(16)]);
                &padded.expect("it was copied from a str")[..length]
            }
            Self::Long(path) => path.path(),
            Self::WithoutSlash(path) => {
                let path = path.path();
                path.strip_suffix('/').unwrap_or(path)
            }
            Self::Owned(path) => path,
        }
    }
}

/// The route that matched a request and the text it matched: the one extension the router
/// inserts, from which pattern and parameters are read without an allocation for each.
///
/// It holds the path itself, so a middleware that rewrites the request's URI does not disturb it.
/// A router mounted in another adds its match to that of the outer one, whose parameters come
/// first.
#[derive(Clone)]
pub struct RouteMatch {
    pub(crate) maps: Arc<Maps>,
    pub(crate) place: Place,
    pub(crate) text: Text,
    pub(crate) host: Option<Arc<HostMatch>>,
    pub(crate) outer: Option<Box<RouteMatch>>,
}

impl RouteMatch {
    /// The pattern that matched, as it was registered, with the prefixes of the routers it is
    /// nested in.
    ///
    /// ```text
    /// nest("/api", Router.get("/users/{id}"))  ->  "/api/users/{id}"
    /// ```
    pub fn pattern(&self) -> &str {
        self.maps.trie(self.place).pattern_of(self.place.route)
    }

    /// The host pattern that matched, if the route belongs to one, as it was registered.
    pub fn host_pattern(&self) -> Option<String> {
        let hosts = self.maps.hosts.as_ref()?;
        let route = self.host.as_ref()?.route;
        Some(super::host::unreverse(hosts.pattern_of(route)))
    }

    /// The raw (still percent-encoded) value of the parameter called `name`; the innermost one if
    /// routers mounted in each other use the name twice.
    pub fn get(&self, name: &str) -> Option<&str> {
        if name == NEST_TAIL {
            return None;
        }
        let own = self.maps.trie(self.place);
        let own = own.params_of(self.place.route, self.text.as_str());
        if let Some(value) = own.get(name) {
            return Some(value);
        }
        if let Some((_, value)) = self.host_iter().find(|(key, _)| *key == name) {
            return Some(value);
        }
        self.outer.as_ref()?.get(name)
    }

    /// Names and raw values: those of the outer router, then of the host from right to left, then
    /// of the path from left to right.
    pub fn iter(&self) -> RouteMatchIter<'_> {
        let mut chain = Vec::new();
        let mut at = self;
        while let Some(outer) = &at.outer {
            chain.push(at);
            at = outer;
        }
        RouteMatchIter {
            inner: chain,
            host: at.host_iter(),
            path: at.path_iter(),
        }
    }

    /// Calls `each` with the names and raw values that [`iter`](Self::iter) gives, in that order.
    /// Costs less, since nothing is kept from one parameter to the next.
    #[cfg(feature = "axum")]
    #[inline]
    pub(crate) fn for_each<'m>(&'m self, mut each: impl FnMut((&'m str, &'m str))) {
        if self.outer.is_some() {
            return self.iter().for_each(each);
        }
        if self.host.is_some() {
            self.host_iter().for_each(&mut each);
        }
        for param in self.path_iter() {
            if param.0 != NEST_TAIL {
                each(param);
            }
        }
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The parameters of this router alone.
    #[cfg(feature = "axum")]
    pub(crate) fn own_params(&self) -> impl Iterator<Item = (&str, &str)> {
        let shown = |(name, _): &(&str, &str)| *name != NEST_TAIL;
        self.host_iter().chain(self.path_iter()).filter(shown)
    }

    /// Whether the parameter called `name` is the pattern's catch-all.
    #[cfg(feature = "axum")]
    pub(crate) fn is_catch_all(&self, name: &str) -> bool {
        let rest = self.pattern().rsplit_once("{*").map(|(_, rest)| rest);
        let ends = |rest: &str| rest.starts_with(['}', ':', '?']);
        rest.and_then(|rest| rest.strip_prefix(name))
            .is_some_and(ends)
    }

    /// The prefix of the nested service that matched.
    #[cfg(feature = "axum")]
    pub(crate) fn nest_prefix(&self) -> &str {
        let pattern = self.pattern();
        let prefix = pattern.rfind("/{*").map_or(pattern, |at| &pattern[..at]);
        prefix.strip_suffix('/').unwrap_or(prefix)
    }

    /// How many parameters came from the routers around this one.
    #[cfg(feature = "axum")]
    pub(crate) fn outer_len(&self) -> usize {
        self.outer.as_ref().map_or(0, |outer| outer.len())
    }

    /// Whether `path` is the text that matched, and all that did: no host, no rewriting.
    #[cfg(feature = "axum")]
    pub(crate) fn is_all_of(&self, path: &str) -> bool {
        let text = match &self.text {
            Text::None => self.pattern().as_bytes(),
            Text::Short { length, bytes } => &bytes.0[..usize::from(*length)],
            Text::Long(target) => target.path().as_bytes(),
            Text::WithoutSlash(_) | Text::Owned(_) => return false,
        };
        self.host.is_none() && text == path.as_bytes()
    }

    /// Whether the text that matched is the path as the client sent it.
    #[cfg(feature = "axum")]
    pub(crate) fn is_as_sent(&self) -> bool {
        matches!(self.text, Text::None | Text::Short { .. } | Text::Long(_))
    }

    fn path_iter(&self) -> ParamsIter<'_, '_> {
        let trie = self.maps.trie(self.place);
        trie.params_of(self.place.route, self.text.as_str()).iter()
    }

    fn host_iter(&self) -> HostIter<'_> {
        let parts = self.host.as_deref().zip(self.maps.hosts.as_ref());
        HostIter(parts.map(|(host, hosts)| {
            let params = hosts.params_of(host.route, &host.reversed);
            (params.iter(), host.name.as_str())
        }))
    }
}

impl fmt::Debug for RouteMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<_> = self.iter().collect();
        f.debug_struct("RouteMatch")
            .field("pattern", &self.pattern())
            .field("params", &params)
            .finish_non_exhaustive()
    }
}

/// Iterates over a [`RouteMatch`]'s parameters. Allocates only where routers are mounted in each
/// other.
#[derive(Debug, Clone)]
pub struct RouteMatchIter<'m> {
    inner: Vec<&'m RouteMatch>,
    host: HostIter<'m>,
    path: ParamsIter<'m, 'm>,
}

/// The parameters of a host, if there is one, and its name.
#[derive(Debug, Clone)]
struct HostIter<'m>(Option<(ParamsIter<'m, 'm>, &'m str)>);

impl<'m> Iterator for HostIter<'m> {
    type Item = (&'m str, &'m str);

    fn next(&mut self) -> Option<Self::Item> {
        let (params, name) = self.0.as_mut()?;
        let (key, value) = params.next()?;
        // A value of several labels is the catch-all's, which begins the name: there it stands in
        // the order it was written.
        let several = value.contains('/');
        Some((key, if several { &name[..value.len()] } else { value }))
    }
}

impl<'m> Iterator for RouteMatchIter<'m> {
    type Item = (&'m str, &'m str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(param) = self.host.next() {
                return Some(param);
            }
            match self.path.next() {
                Some((NEST_TAIL, _)) => {}
                Some(param) => return Some(param),
                None => {
                    let next = self.inner.pop()?;
                    self.host = next.host_iter();
                    self.path = next.path_iter();
                }
            }
        }
    }
}

impl<'m> IntoIterator for &'m RouteMatch {
    type Item = (&'m str, &'m str);
    type IntoIter = RouteMatchIter<'m>;

    fn into_iter(self) -> RouteMatchIter<'m> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_length_is_kept_whole() {
        for end in ["", "x", "é", "%C3%A9"] {
            for length in 0..2 * SHORT {
                let path = format!("/{}{end}", "a".repeat(length));
                let target = PathAndQuery::try_from(format!("{path}?q=1")).expect(&path);
                let text = Text::of(&target);
                assert_eq!(text.as_str(), path);
                let copied = matches!(text, Text::Short { .. });
                assert_eq!(copied, path.len() <= SHORT, "{path}");
            }
        }
    }
}
