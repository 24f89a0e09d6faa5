//! The routes of a router that is still being put together.
//!
//! Generic over what a route leads to, so that the plain router (services) and axum's (handlers
//! that wait for their state) share one implementation of nesting, merging and error collection.
//! A registration never fails here: what was wrong with it is kept in `errors`, in order.

use http::StatusCode;

use crate::TrieBuilder;

use super::{
    error::{BuildError, RouteError, RouteErrorKind},
    host,
    matched::NEST_TAIL,
    methods::{MOST_EXTENSIONS, MethodTable},
    options::Options,
    prefix::{check_prefix, join, join_prefix},
};

/// A router's routes, fallbacks, policies and faults.
#[derive(Debug, Clone)]
pub(crate) struct Draft<E> {
    /// The routes that hold whatever the host.
    pub(crate) any_host: Table<E>,
    /// The routes of hosts: the host's pattern as a path, and its routes.
    pub(crate) hosts: Vec<(String, Table<E>)>,
    /// The router's own 404, once a layer wraps it.
    pub(crate) not_found: Option<E>,
    pub(crate) errors: Vec<RouteError>,
    pub(crate) options: Options,
}

/// The routes of one host.
#[derive(Debug, Clone)]
pub(crate) struct Table<E> {
    pub(crate) trie: TrieBuilder<usize>,
    pub(crate) entries: Vec<Entry<E>>,
    /// Prefix (empty for the whole table) and what answers below it.
    pub(crate) fallbacks: Vec<(String, E)>,
}

/// One pattern.
#[derive(Debug, Clone)]
pub(crate) struct Entry<E> {
    pub(crate) pattern: String,
    pub(crate) methods: MethodTable<E>,
    pub(crate) kind: Kind,
}

/// What stands behind a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Endpoints by method.
    Route,
    /// A nested service, whose pattern is its prefix and what is below it.
    NestedService,
    /// An answer to what no pattern matches.
    Fallback,
}

impl<E> Entry<E> {
    pub(crate) fn new(pattern: impl Into<String>, methods: MethodTable<E>) -> Self {
        Self {
            pattern: pattern.into(),
            methods,
            kind: Kind::Route,
        }
    }

    fn check_methods(&self, errors: &mut Vec<RouteError>) {
        if self.methods.extension.len() > MOST_EXTENSIONS {
            let kind = RouteErrorKind::TooManyMethods;
            errors.push(RouteError::new(&self.pattern, kind));
        }
    }
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Self {
            trie: TrieBuilder::new(),
            entries: Vec::new(),
            fallbacks: Vec::new(),
        }
    }
}

impl<E> Default for Draft<E> {
    fn default() -> Self {
        Self {
            any_host: Table::default(),
            hosts: Vec::new(),
            not_found: None,
            errors: Vec::new(),
            options: Options::default(),
        }
    }
}

impl<E> Table<E> {
    /// Adds a pattern, or the methods of a pattern that is there already.
    fn add(&mut self, entry: Entry<E>, errors: &mut Vec<RouteError>) {
        if let Some(&at) = self.trie.get(&entry.pattern) {
            let taken = self.entries[at].methods.merge(entry.methods);
            errors.extend(taken.into_iter().map(|method| {
                RouteError::new(&entry.pattern, RouteErrorKind::MethodTaken { method })
            }));
            return self.entries[at].check_methods(errors);
        }
        match self.trie.insert(&entry.pattern, self.entries.len()) {
            Ok(()) => {
                entry.check_methods(errors);
                self.entries.push(entry);
            }
            Err(error) => errors.push(RouteError::new(
                entry.pattern,
                RouteErrorKind::Pattern(error),
            )),
        }
    }

    fn add_fallback(&mut self, prefix: String, endpoint: E, errors: &mut Vec<RouteError>) {
        if self.fallbacks.iter().any(|(taken, _)| *taken == prefix) {
            let pattern = if prefix.is_empty() { "/" } else { &prefix };
            errors.push(RouteError::new(pattern, RouteErrorKind::FallbackTaken));
        } else {
            self.fallbacks.push((prefix, endpoint));
        }
    }

    /// Takes over everything of `other`, below `prefix` (empty: where it is).
    fn absorb(&mut self, prefix: &str, other: Self, errors: &mut Vec<RouteError>) {
        for mut entry in other.entries {
            entry.pattern = join(prefix, &entry.pattern);
            self.add(entry, errors);
        }
        for (inner, endpoint) in other.fallbacks {
            let prefix = join_prefix(prefix, &inner);
            self.add_fallback(prefix, endpoint, errors);
        }
    }

    fn map<F>(self, map: &mut impl FnMut(&str, Kind, E) -> F) -> Table<F> {
        Table {
            trie: self.trie,
            entries: self
                .entries
                .into_iter()
                .map(|entry| Entry {
                    methods: entry
                        .methods
                        .map(|endpoint| map(&entry.pattern, entry.kind, endpoint)),
                    pattern: entry.pattern,
                    kind: entry.kind,
                })
                .collect(),
            fallbacks: self
                .fallbacks
                .into_iter()
                .map(|(prefix, endpoint)| {
                    let endpoint = map(&prefix, Kind::Fallback, endpoint);
                    (prefix, endpoint)
                })
                .collect(),
        }
    }
}

impl<E> Draft<E> {
    pub(crate) fn add(&mut self, entry: Entry<E>) {
        self.any_host.add(entry, &mut self.errors);
    }

    pub(crate) fn fail(&mut self, pattern: &str, kind: RouteErrorKind) {
        self.errors.push(RouteError::new(pattern, kind));
    }

    /// Sets the fallback of the whole router, whatever it was.
    pub(crate) fn set_fallback(&mut self, endpoint: E) {
        self.reset_fallback();
        self.any_host.fallbacks.push((String::new(), endpoint));
    }

    pub(crate) fn reset_fallback(&mut self) {
        let fallbacks = &mut self.any_host.fallbacks;
        fallbacks.retain(|(prefix, _)| !prefix.is_empty());
    }

    pub(crate) fn has_routes(&self) -> bool {
        self.tables().any(|table| !table.entries.is_empty())
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table<E>> {
        std::iter::once(&self.any_host).chain(self.hosts.iter().map(|(_, table)| table))
    }

    fn tables_mut(&mut self) -> impl Iterator<Item = &mut Table<E>> {
        let hosts = self.hosts.iter_mut().map(|(_, table)| table);
        std::iter::once(&mut self.any_host).chain(hosts)
    }

    pub(crate) fn patterns(&self) -> Vec<&str> {
        let entries = self.tables().flat_map(|table| &table.entries);
        entries.map(|entry| entry.pattern.as_str()).collect()
    }

    /// Gives each pattern that has none an answer to methods it does not know.
    pub(crate) fn set_not_allowed(&mut self, endpoint: &E)
    where
        E: Clone,
    {
        for table in self.tables_mut() {
            for entry in &mut table.entries {
                let slot = &mut entry.methods.not_allowed;
                slot.get_or_insert_with(|| endpoint.clone());
            }
        }
    }

    /// Adds the patterns of a service that answers everything below `prefix`.
    pub(crate) fn nest_service(&mut self, prefix: &str, endpoint: E)
    where
        E: Clone,
    {
        if let Err(reason) = check_prefix(prefix) {
            return self.fail(prefix, RouteErrorKind::Prefix { reason });
        }
        let stem = prefix.trim_end_matches('/');
        let tail = format!("{stem}/{{*{NEST_TAIL}}}");
        let slash = format!("{stem}/");
        let mut patterns = vec![tail, slash];
        if !prefix.ends_with('/') {
            patterns.push(stem.to_owned());
        }
        for pattern in patterns {
            let mut entry = Entry::new(pattern, MethodTable::of_any(endpoint.clone()));
            entry.kind = Kind::NestedService;
            self.add(entry);
        }
    }

    /// Puts `other`'s routes below `prefix`.
    pub(crate) fn nest(&mut self, prefix: &str, other: Self) {
        self.errors.extend(other.errors);
        if let Err(reason) = check_prefix(prefix) {
            return self.fail(prefix, RouteErrorKind::Prefix { reason });
        }
        self.any_host
            .absorb(prefix, other.any_host, &mut self.errors);
        for (host, table) in other.hosts {
            let errors = &mut Vec::new();
            self.host_table(host).absorb(prefix, table, errors);
            self.errors.append(errors);
        }
    }

    /// Puts `other`'s routes beside the own ones.
    pub(crate) fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
        // As in axum: what is merged in brings its own 404, and its layers with it.
        self.not_found = other.not_found;
        self.any_host.absorb("", other.any_host, &mut self.errors);
        for (host, table) in other.hosts {
            let errors = &mut Vec::new();
            self.host_table(host).absorb("", table, errors);
            self.errors.append(errors);
        }
    }

    /// Puts `other`'s routes below a host.
    pub(crate) fn host(&mut self, pattern: &str, other: Self) {
        self.errors.extend(other.errors);
        let path = match host::pattern_to_path(pattern) {
            Ok(path) => path,
            Err(reason) => return self.fail(pattern, RouteErrorKind::Host { reason }),
        };
        if !other.hosts.is_empty() {
            let reason = "the router given to it has hosts of its own; merge them instead".into();
            return self.fail(pattern, RouteErrorKind::Host { reason });
        }
        let errors = &mut Vec::new();
        self.host_table(path).absorb("", other.any_host, errors);
        self.errors.append(errors);
    }

    fn host_table(&mut self, path: String) -> &mut Table<E> {
        let at = self.hosts.iter().position(|(taken, _)| *taken == path);
        let at = at.unwrap_or_else(|| {
            self.hosts.push((path, Table::default()));
            self.hosts.len() - 1
        });
        &mut self.hosts[at].1
    }

    /// The same routes with other endpoints.
    pub(crate) fn map<F>(self, mut map: impl FnMut(E) -> F) -> Draft<F> {
        self.map_by_place(|_, _, endpoint| map(endpoint))
    }

    /// As [`map`](Self::map), told the pattern (of a fallback the prefix) and what the endpoint stands behind.
    pub(crate) fn map_by_place<F>(self, mut map: impl FnMut(&str, Kind, E) -> F) -> Draft<F> {
        Draft {
            any_host: self.any_host.map(&mut map),
            hosts: self
                .hosts
                .into_iter()
                .map(|(host, table)| (host, table.map(&mut map)))
                .collect(),
            not_found: self
                .not_found
                .map(|endpoint| map("", Kind::Fallback, endpoint)),
            errors: self.errors,
            options: self.options,
        }
    }

    /// Wraps every route, fallback and answer of the router's own; `status` makes the endpoint
    /// of such an answer.
    pub(crate) fn layer(mut self, wrap: impl Fn(E) -> E, status: impl Fn(StatusCode) -> E) -> Self {
        self.own_answers(&status);
        let not_found = self.not_found.take();
        self.not_found = not_found.or_else(|| Some(status(StatusCode::NOT_FOUND)));
        self.map(wrap)
    }

    /// As [`layer`](Self::layer), but leaves everything alone that is no route, and tells `wrap` the pattern.
    pub(crate) fn route_layer(
        mut self,
        wrap: impl Fn(&str, E) -> E,
        status: impl Fn(StatusCode) -> E,
    ) -> Self {
        if !self.has_routes() {
            self.fail("", RouteErrorKind::NothingToLayer);
            return self;
        }
        self.own_answers(&status);
        let not_found = self.not_found.take();
        let keep = |table: &mut Table<E>| std::mem::take(&mut table.fallbacks);
        let kept: Vec<_> = self.tables_mut().map(keep).collect();
        let mut this = self.map_by_place(|pattern, _, endpoint| wrap(pattern, endpoint));
        this.not_found = not_found;
        for (table, fallbacks) in this.tables_mut().zip(kept) {
            table.fallbacks = fallbacks;
        }
        this
    }

    /// Makes the router's own answers of each pattern endpoints, so that layers wrap them too: a
    /// CORS layer has to see a preflight.
    fn own_answers(&mut self, status: &impl Fn(StatusCode) -> E) {
        for table in self.tables_mut() {
            for Entry { methods, .. } in &mut table.entries {
                let refusal = || status(StatusCode::METHOD_NOT_ALLOWED);
                methods.refusal.get_or_insert_with(refusal);
                let reply = || status(StatusCode::NO_CONTENT);
                methods.options_reply.get_or_insert_with(reply);
            }
        }
    }

    /// Whether everything was right so far.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(BuildError::new(self.errors.clone()))
        }
    }
}
