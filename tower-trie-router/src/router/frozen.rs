//! A router that is built: tries, method tables, endpoints.
//!
//! Invariants: table 0 holds the routes of any host; the value of a route in a trie is the number
//! of its leaf in the table; a leaf's codes below [`OPTIONS_REPLY`] are numbers of its slots.

use std::sync::Arc;

use http::{Extensions, HeaderValue, Method};

use super::{
    draft::{Draft, Entry, Kind, Table},
    endpoint::{Route, Sees},
    error::{BuildError, RouteError, RouteErrorKind},
    future::Explain,
    host,
    listing::Listed,
    matched::{Map, Maps, NEST_TAIL},
    methods::{self, MethodTable, STANDARD_COUNT},
    options::{Automatic, Options},
};
use crate::{Trie, TrieBuilder};

/// The router's own answer to `OPTIONS`.
pub(crate) const OPTIONS_REPLY: u8 = 0xFE;
/// The router's own refusal.
pub(crate) const REFUSAL: u8 = 0xFF;

/// A built router, without its state and policies' builder.
pub(crate) struct Frozen<B, R> {
    pub(crate) maps: Arc<Maps>,
    pub(crate) tables: Vec<FrozenTable<B, R>>,
    pub(crate) not_found: Option<Route<B, R>>,
    pub(crate) options: Options,
    /// `Allow` for `OPTIONS *`.
    pub(crate) server_allow: HeaderValue,
    pub(crate) explain: Option<Explain<R>>,
    pub(crate) listed: Vec<Listed>,
}

pub(crate) struct FrozenTable<B, R> {
    pub(crate) leaves: Vec<Leaf<B, R>>,
    /// What answers below a prefix.
    pub(crate) fallbacks: Vec<Route<B, R>>,
    /// What answers everywhere else.
    pub(crate) fallback: Option<Route<B, R>>,
}

/// What a pattern leads to.
pub(crate) struct Leaf<B, R> {
    by_method: [u8; STANDARD_COUNT],
    extension: Box<[(Method, u8)]>,
    otherwise: u8,
    slots: Box<[Slot<B, R>]>,
    /// The endpoints, if a layer wraps them, of the router's own answers.
    pub(crate) refusal: Option<Route<B, R>>,
    pub(crate) options_reply: Option<Route<B, R>>,
    pub(crate) allow: HeaderValue,
    pub(crate) has_params: bool,
    pub(crate) annotate: Option<Arc<dyn Annotate>>,
}

pub(crate) struct Slot<B, R> {
    pub(crate) route: Route<B, R>,
    pub(crate) sees: Sees,
}

/// Adds to the extensions of a request what a route's neighbours outside this crate look for.
pub(crate) trait Annotate: Send + Sync {
    fn annotate(&self, extensions: &mut Extensions);
}

/// Makes the annotation of a pattern.
type Annotation = fn(pattern: &str) -> Option<Arc<dyn Annotate>>;

/// What the glue of a framework adds to a router.
pub(crate) struct Hooks<R> {
    pub(crate) annotate: Annotation,
    pub(crate) explain: Option<Explain<R>>,
}

impl<R> Default for Hooks<R> {
    fn default() -> Self {
        Self {
            annotate: |_| None,
            explain: None,
        }
    }
}

impl<B, R> Leaf<B, R> {
    /// The code of a method: a slot, [`OPTIONS_REPLY`] or [`REFUSAL`].
    #[inline]
    pub(crate) fn code(&self, method: &Method) -> u8 {
        match methods::slot(method) {
            Some(place) => self.by_method[place],
            None => self.extension_code(method),
        }
    }

    fn extension_code(&self, method: &Method) -> u8 {
        let found = self.extension.iter().find(|(name, _)| name == method);
        found.map_or(self.otherwise, |(_, code)| *code)
    }

    #[inline]
    pub(crate) fn slot(&self, code: u8) -> &Slot<B, R> {
        &self.slots[usize::from(code)]
    }

    fn new(methods: MethodTable<Route<B, R>>, options: Options) -> Self {
        let head = options.head == Automatic::On;
        let has_any = methods.any.is_some();
        let answers_options = options.options == Automatic::On && !has_any;
        let allow = methods::allow_value(&methods.allowed(head, answers_options));
        let MethodTable {
            standard,
            extension,
            any,
            not_allowed,
            refusal,
            options_reply,
        } = methods;

        let mut slots = Vec::new();
        let mut place = |route: Route<B, R>| {
            let sees = route.endpoint.sees();
            slots.push(Slot { route, sees });
            u8::try_from(slots.len() - 1).expect("the draft limits the methods of a pattern")
        };
        let codes = standard.map(|route| route.map(&mut place));
        let extension = extension
            .into_iter()
            .map(|(method, route)| (method, place(route)))
            .collect();
        let otherwise = any.map_or(REFUSAL, &mut place);
        let mut by_method = codes.map(|code| code.unwrap_or(otherwise));
        if let (true, None, Some(get)) = (head, codes[methods::HEAD], codes[methods::GET]) {
            by_method[methods::HEAD] = get;
        }
        if answers_options && codes[methods::OPTIONS].is_none() {
            by_method[methods::OPTIONS] = OPTIONS_REPLY;
        }
        Self {
            by_method,
            extension,
            otherwise,
            slots: slots.into_boxed_slice(),
            refusal: not_allowed.or(refusal),
            options_reply,
            allow,
            has_params: false,
            annotate: None,
        }
    }
}

impl<B, R> Frozen<B, R> {
    /// Freezes a draft that holds no fault; the fault a host or a prefix brings with it at this
    /// point is reported.
    pub(crate) fn new(draft: Draft<Route<B, R>>, hooks: &Hooks<R>) -> Result<Self, BuildError> {
        draft.check()?;
        let Draft {
            any_host,
            hosts,
            not_found,
            errors: _,
            options,
        } = draft;

        let mut errors = Vec::new();
        let mut listed = Vec::new();
        let mut host_trie = TrieBuilder::new();
        let (mut maps, mut tables) = (Vec::new(), Vec::new());
        let all = std::iter::once((None, any_host));
        let all = all.chain(hosts.into_iter().map(|(path, table)| (Some(path), table)));
        for (number, (path, table)) in all.enumerate() {
            let name = path.as_deref().map(host::unreverse);
            if let Some(path) = path
                && let Err(error) = host_trie.insert(&path, number as u32)
            {
                let kind = RouteErrorKind::Pattern(error);
                errors.push(RouteError::new(host::unreverse(&path), kind));
            }
            for entry in &table.entries {
                listed.push(Listed::new(name.clone(), entry));
            }
            let (map, table) = freeze_table(table, options, hooks);
            maps.push(map);
            tables.push(table);
        }
        if !errors.is_empty() {
            return Err(BuildError::new(errors));
        }

        let hosts = (tables.len() > 1).then(|| host_trie.build());
        let server_allow = server_allow(&listed, options);
        Ok(Self {
            maps: Arc::new(Maps {
                hosts,
                tables: maps,
            }),
            tables,
            not_found,
            options,
            server_allow,
            explain: hooks.explain,
            listed,
        })
    }
}

fn freeze_table<B, R>(
    table: Table<Route<B, R>>,
    options: Options,
    hooks: &Hooks<R>,
) -> (Map, FrozenTable<B, R>) {
    let mut routes = TrieBuilder::new();
    let mut leaves = Vec::new();
    for (number, entry) in table.entries.into_iter().enumerate() {
        let Entry {
            pattern,
            methods,
            kind,
        } = entry;
        let inserted = routes.insert(&pattern, number as u32);
        inserted.expect("the draft's own trie took the same patterns");
        let mut leaf = Leaf::new(methods, options);
        leaf.has_params = has_params(&pattern);
        // The patterns of a nested service end in a catch-all of the router's own.
        if kind == Kind::Route {
            leaf.annotate = (hooks.annotate)(&pattern);
        }
        leaves.push(leaf);
    }
    let (fallbacks, below_prefixes, fallback) = freeze_fallbacks(table.fallbacks);
    let map = Map {
        routes: routes.build(),
        fallbacks,
    };
    let table = FrozenTable {
        leaves,
        fallbacks: below_prefixes,
        fallback,
    };
    (map, table)
}

/// The trie of the prefixes that have a fallback, their fallbacks, and that of the whole table.
fn freeze_fallbacks<E>(all: Vec<(String, E)>) -> (Trie<u32>, Vec<E>, Option<E>) {
    let mut trie = TrieBuilder::new();
    let (mut below, mut whole) = (Vec::new(), None);
    for (prefix, endpoint) in all {
        if prefix.is_empty() {
            whole = Some(endpoint);
            continue;
        }
        let number = below.len() as u32;
        for end in ["", "/", &format!("/{{*{NEST_TAIL}}}")] {
            // Prefixes that differ only in the names of parameters share the first one's fallback.
            let _ = trie.insert(&format!("{prefix}{end}"), number);
        }
        below.push(endpoint);
    }
    (trie.build(), below, whole)
}

fn has_params(pattern: &str) -> bool {
    pattern.replace("{{", "").contains('{')
}

fn server_allow(listed: &[Listed], options: Options) -> HeaderValue {
    let mut table = MethodTable::default();
    for route in listed {
        for method in &route.methods {
            let _ = table.set(method, ());
        }
    }
    let head = options.head == Automatic::On;
    let answers = options.options == Automatic::On;
    methods::allow_value(&table.allowed(head, answers))
}
