//! From a request to the endpoint that answers it.

use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use super::{
    endpoint::{Answer, Endpoint, Route, Sees},
    frozen::{Frozen, Leaf, OPTIONS_REPLY, REFUSAL},
    future::{Finish, RouteFuture},
    host,
    matched::{HostMatch, Place, RouteMatch, Text},
    options::{Automatic, PercentPolicy, TrailingSlash},
    percent,
};
use crate::RouteId;

/// A route that was found.
struct Found {
    table: u32,
    fallback: bool,
    route: RouteId,
    leaf: u32,
    text: Matched,
    host: Option<Arc<HostMatch>>,
}

/// Which text it was found by.
enum Matched {
    Path,
    WithoutSlash,
    Owned(String),
}

/// What a look-up came to.
enum Located {
    Route(Found),
    Redirect(HeaderValue),
    Nothing,
}

#[expect(
    clippy::result_large_err,
    reason = "a request that no route wants is given back whole, not boxed"
)]
impl<B, R: Default> Frozen<B, R> {
    /// Answers a request, or gives it back if no route and no fallback is there for it.
    #[inline]
    pub(crate) fn dispatch(&self, request: Request<B>) -> Result<RouteFuture<R>, Request<B>> {
        match self.locate(&request) {
            Located::Route(found) if found.fallback => {
                let table = &self.tables[found.table as usize];
                let route = &table.fallbacks[found.leaf as usize];
                Ok(self.call(route, Sees::ALL, request, found, None))
            }
            Located::Route(found) => {
                let table = &self.tables[found.table as usize];
                let leaf = &table.leaves[found.leaf as usize];
                Ok(self.call_leaf(leaf, request, found))
            }
            Located::Redirect(location) => Ok(redirect(location)),
            Located::Nothing => self.unrouted(request),
        }
    }

    /// Whether a route is there for the path but none for the method.
    pub(crate) fn refuses(&self, request: &Request<B>) -> bool {
        match self.locate(request) {
            Located::Route(found) if !found.fallback => {
                let table = &self.tables[found.table as usize];
                let leaf = &table.leaves[found.leaf as usize];
                matches!(leaf.code(request.method()), OPTIONS_REPLY | REFUSAL)
            }
            _ => false,
        }
    }

    /// The 404 of a router that has no fallback.
    pub(crate) fn not_found(&self, request: Request<B>) -> RouteFuture<R> {
        match &self.not_found {
            Some(route) => {
                let finish = Finish::of(request.method());
                RouteFuture::new(route.endpoint.call(request), finish, self.explain)
            }
            None => RouteFuture::ready(status(StatusCode::NOT_FOUND)),
        }
    }

    fn locate(&self, request: &Request<B>) -> Located {
        let path = request.uri().path();
        if !path.starts_with('/') {
            return Located::Nothing;
        }
        let host = self.host_of(request);
        let normalized = match self.options.percent {
            PercentPolicy::Raw => None,
            PercentPolicy::Normalize => percent::normalize(path),
        };
        let text = normalized.as_deref().unwrap_or(path);
        let host_table = host.as_ref().map(|(table, _)| *table);

        if let Some((table, route, leaf)) = self.find(host_table, text) {
            return Located::Route(Found {
                table,
                fallback: false,
                route,
                leaf,
                text: normalized.map_or(Matched::Path, Matched::Owned),
                host: host.filter(|_| table != 0).map(|(_, host)| host),
            });
        }
        if self.options.trailing_slash != TrailingSlash::Strict
            && let Some(located) = self.locate_other_slash(request, text, &host)
        {
            return located;
        }
        match self.find_fallback(host_table, text) {
            Some((table, route, leaf)) => Located::Route(Found {
                table,
                fallback: true,
                route,
                leaf,
                text: normalized.map_or(Matched::Path, Matched::Owned),
                host: host.filter(|_| table != 0).map(|(_, host)| host),
            }),
            None => Located::Nothing,
        }
    }

    /// The table of the request's host, if it has one.
    #[inline]
    fn host_of(&self, request: &Request<B>) -> Option<(u32, Arc<HostMatch>)> {
        let hosts = self.maps.hosts.as_ref()?;
        let (name, reversed) = host::to_path(host::of_request(request)?)?;
        let matched = hosts.at(&reversed)?;
        let (table, route) = (*matched.value, matched.id());
        let host = HostMatch {
            route,
            name,
            reversed,
        };
        Some((table, Arc::new(host)))
    }

    /// The route of a path: that of the host first.
    #[inline]
    fn find(&self, host: Option<u32>, path: &str) -> Option<(u32, RouteId, u32)> {
        let in_table = |table: u32| {
            let found = self.maps.tables[table as usize].routes.at(path)?;
            Some((table, found.id(), *found.value))
        };
        host.and_then(in_table).or_else(|| in_table(0))
    }

    fn find_fallback(&self, host: Option<u32>, path: &str) -> Option<(u32, RouteId, u32)> {
        let in_table = |table: u32| {
            let found = self.maps.tables[table as usize].fallbacks.at(path)?;
            Some((table, found.id(), *found.value))
        };
        // The fallback of the host as a whole comes before what is nested for any host.
        let whole = |table: &u32| self.tables[*table as usize].fallback.is_some();
        match host {
            Some(table) => in_table(table).or_else(|| {
                let hidden = whole(&table);
                (!hidden).then(|| in_table(0)).flatten()
            }),
            None => in_table(0),
        }
    }

    /// Tries the path with its last slash taken away, or with one added.
    #[cold]
    fn locate_other_slash(
        &self,
        request: &Request<B>,
        text: &str,
        host: &Option<(u32, Arc<HostMatch>)>,
    ) -> Option<Located> {
        let other = match text.strip_suffix('/') {
            Some("") => return None,
            Some(shorter) => shorter.to_owned(),
            None => format!("{text}/"),
        };
        let host_table = host.as_ref().map(|(table, _)| *table);
        let (table, route, leaf) = self.find(host_table, &other)?;
        if self.options.trailing_slash == TrailingSlash::Redirect {
            return location(request).map(Located::Redirect);
        }
        let shortened = request.uri().path().strip_suffix('/') == Some(&*other);
        Some(Located::Route(Found {
            table,
            fallback: false,
            route,
            leaf,
            text: if shortened {
                Matched::WithoutSlash
            } else {
                Matched::Owned(other)
            },
            host: host
                .as_ref()
                .filter(|_| table != 0)
                .map(|(_, host)| Arc::clone(host)),
        }))
    }

    #[inline]
    fn call_leaf(
        &self,
        leaf: &Leaf<B, R>,
        mut request: Request<B>,
        found: Found,
    ) -> RouteFuture<R> {
        let code = leaf.code(request.method());
        if code < OPTIONS_REPLY {
            let slot = leaf.slot(code);
            return self.call(&slot.route, slot.sees, request, found, Some(leaf));
        }
        let (own, code) = if code == OPTIONS_REPLY {
            (&leaf.options_reply, StatusCode::NO_CONTENT)
        } else {
            (&leaf.refusal, StatusCode::METHOD_NOT_ALLOWED)
        };
        let allow = Finish::Allow(leaf.allow.clone());
        match own {
            Some(route) => {
                self.annotate(Sees::ALL, &mut request, found, Some(leaf));
                RouteFuture::new(route.endpoint.call(request), allow, self.explain)
            }
            None => RouteFuture::new(Answer::Now(Some(status(code))), allow, None),
        }
    }

    #[inline]
    fn call(
        &self,
        route: &Route<B, R>,
        sees: Sees,
        mut request: Request<B>,
        found: Found,
        leaf: Option<&Leaf<B, R>>,
    ) -> RouteFuture<R> {
        let finish = Finish::of(request.method());
        self.annotate(sees, &mut request, found, leaf);
        RouteFuture::new(route.endpoint.call(request), finish, self.explain)
    }

    /// Leaves the match in the request's extensions, as far as somebody can see it.
    #[inline]
    fn annotate(
        &self,
        sees: Sees,
        request: &mut Request<B>,
        found: Found,
        leaf: Option<&Leaf<B, R>>,
    ) {
        if sees.route_match {
            let has_params = leaf.is_none_or(|leaf| leaf.has_params);
            let target = request.uri().path_and_query();
            let text = match found.text {
                _ if !has_params => Text::None,
                Matched::Owned(text) => Text::Owned(text.into()),
                Matched::Path => target.map_or(Text::None, Text::of),
                Matched::WithoutSlash => target.cloned().map_or(Text::None, Text::WithoutSlash),
            };
            let extensions = request.extensions_mut();
            let outer = extensions.insert(RouteMatch {
                maps: Arc::clone(&self.maps),
                place: Place {
                    table: found.table,
                    fallback: found.fallback,
                    route: found.route,
                },
                text,
                host: found.host,
                outer: None,
            });
            if let (Some(outer), Some(own)) = (outer, extensions.get_mut::<RouteMatch>()) {
                own.outer = Some(Box::new(outer));
            }
        }
        if sees.matched_path
            && let Some(annotate) = leaf.and_then(|leaf| leaf.annotate.as_ref())
        {
            annotate.annotate(request.extensions_mut());
        }
    }

    /// A request no pattern is there for: `OPTIONS *`, the fallback, or nothing.
    fn unrouted(&self, request: Request<B>) -> Result<RouteFuture<R>, Request<B>> {
        let asks_server = *request.method() == Method::OPTIONS && request.uri().path() == "*";
        if asks_server && self.options.options == Automatic::On {
            let allow = Finish::Allow(self.server_allow.clone());
            let answer = Answer::Now(Some(status(StatusCode::NO_CONTENT)));
            return Ok(RouteFuture::new(answer, allow, None));
        }
        let host = self.host_of(&request);
        let of_host = host.and_then(|(table, _)| self.tables[table as usize].fallback.as_ref());
        match of_host.or(self.tables[0].fallback.as_ref()) {
            Some(route) => {
                let finish = Finish::of(request.method());
                let answer = route.endpoint.call(request);
                Ok(RouteFuture::new(answer, finish, self.explain))
            }
            None => Err(request),
        }
    }
}

/// The path with its last slash taken away or one added, as the client knows it, with the query;
/// `None` if a browser could read it as another host.
fn location<B>(request: &Request<B>) -> Option<HeaderValue> {
    let path = sent_path(request)?;
    let mut text = match path.strip_suffix('/') {
        Some(shorter) => shorter.to_owned(),
        None => format!("{path}/"),
    };
    // `//host` and, to a browser, `/\host` name a host and not a path.
    if !text.starts_with('/') || matches!(text.as_bytes().get(1), Some(b'/' | b'\\')) {
        return None;
    }
    if let Some(query) = request.uri().query() {
        text.push('?');
        text.push_str(query);
    }
    HeaderValue::try_from(text).ok()
}

/// The request's path before an outer router stripped a prefix from it; `None` if that is not known.
fn sent_path<B>(request: &Request<B>) -> Option<&str> {
    let path = request.uri().path();
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions().get::<axum::extract::OriginalUri>() {
        let whole = original.0.path();
        return Some(if whole.ends_with(path) { whole } else { path });
    }
    // The outermost of these routers saw the path first.
    let mut outer = request.extensions().get::<RouteMatch>();
    while let Some(further) = outer.and_then(|matched| matched.outer.as_deref()) {
        outer = Some(further);
    }
    let whole = match outer.map(|matched| &matched.text) {
        None | Some(Text::None) => path,
        Some(Text::WithoutSlash(target)) => target.path(),
        Some(Text::Owned(_)) => return None,
        Some(text) => text.as_str(),
    };
    Some(if whole.ends_with(path) { whole } else { path })
}

fn redirect<R: Default>(location: HeaderValue) -> RouteFuture<R> {
    let mut response = status(StatusCode::PERMANENT_REDIRECT);
    response.headers_mut().insert(header::LOCATION, location);
    RouteFuture::ready(response)
}

/// An empty response.
pub(crate) fn status<R: Default>(code: StatusCode) -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = code;
    response
}

/// An endpoint that answers with a status: an answer of the router's own that a layer wraps.
pub(crate) struct StatusEndpoint(pub(crate) StatusCode);

impl<B, R: Default> Endpoint<B, R> for StatusEndpoint {
    fn call(&self, _: Request<B>) -> Answer<R> {
        Answer::Now(Some(status(self.0)))
    }
}
