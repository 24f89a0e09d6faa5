//! The URI as a nested endpoint sees it: without the prefix it is nested at.

use http::{Request, Uri, uri::PathAndQuery};

use super::{
    endpoint::{Answer, Endpoint, Route, Sees},
    prefix::segments,
};

/// How many segments of a path a prefix takes; a `/` at its end takes none.
pub(crate) fn depth(prefix: &str) -> usize {
    segments(prefix.trim_end_matches('/')).len()
}

/// The URI without its first `depth` segments. A path that has no more gives `/`.
pub(crate) fn strip(uri: &Uri, depth: usize) -> Option<Uri> {
    let whole = uri.path_and_query()?;
    let path = whole.path();
    let slashes = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
    let cut = slashes.map(|(at, _)| at).nth(depth).unwrap_or(path.len());
    let rest = &whole.as_str()[cut..];
    let stripped = if rest.starts_with('/') {
        PathAndQuery::try_from(rest)
    } else {
        PathAndQuery::try_from(format!("/{rest}"))
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(stripped.ok()?);
    Uri::from_parts(parts).ok()
}

/// An endpoint behind a prefix.
#[derive(Debug, Clone)]
pub(crate) struct StripPrefix<E> {
    pub(crate) inner: E,
    pub(crate) depth: usize,
}

impl StripPrefix<()> {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            inner: (),
            depth: depth(prefix),
        }
    }

    pub(crate) fn of<E>(&self, inner: E) -> StripPrefix<E> {
        StripPrefix {
            inner,
            depth: self.depth,
        }
    }
}

impl<B, R> Endpoint<B, R> for StripPrefix<Route<B, R>> {
    fn call(&self, mut request: Request<B>) -> Answer<R> {
        if self.inner.endpoint.sees().uri
            && let Some(stripped) = strip(request.uri(), self.depth)
        {
            *request.uri_mut() = stripped;
        }
        self.inner.endpoint.call(request)
    }

    fn sees(&self) -> Sees {
        self.inner.endpoint.sees()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_stripped_by_segments() {
        for (prefix, uri, expected) in [
            ("/api", "/api/users", "/users"),
            ("/api", "/api", "/"),
            ("/api", "/api?q=1", "/?q=1"),
            ("/api", "/api/", "/"),
            ("/api/", "/api/users?q", "/users?q"),
            ("/{tenant}/v{n}", "/acme/v1/users", "/users"),
            ("/api", "http://host:80/api/x?y", "http://host:80/x?y"),
            ("/api", "/api//x", "//x"),
            ("/a{{/b", "/a%7B/b/x", "/x"),
        ] {
            let stripped = strip(&uri.parse().unwrap(), depth(prefix)).unwrap();
            assert_eq!(stripped.to_string(), expected, "{prefix} {uri}");
        }
    }
}
