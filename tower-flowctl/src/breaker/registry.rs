use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::Extensions;
use tokio::time::Instant;

use super::{
    Baselines, BreakerBuilder, BreakerLayer, BreakerState, Refuse, RouteSnapshot, layer::Named,
    route::Route, state::Rules, trigger::Triggers,
};

/// How often the triggers are looked at: once a second, in nanoseconds.
const LOOK: u64 = 1_000_000_000;

/// The breakers of an application's routes. A cheap handle.
#[derive(Clone)]
pub struct Breaker {
    shared: Arc<Shared>,
}

struct Shared {
    origin: Instant,
    /// In nanoseconds.
    window: u64,
    probes: u32,
    rules: Rules,
    baselines: RwLock<Baselines>,
    routes: RwLock<HashMap<Box<str>, Arc<Route>, BuildHasherDefault<NameHasher>>>,
    triggers: Triggers,
    next_look: AtomicU64,
    overloaded: AtomicBool,
    /// For the jitter.
    turned_away: AtomicU64,
}

impl Breaker {
    pub(super) fn new(
        window: Duration,
        probes: u32,
        rules: Rules,
        baselines: Baselines,
        triggers: Triggers,
    ) -> Self {
        let shared = Shared {
            origin: Instant::now(),
            window: nanos(window),
            probes,
            rules,
            baselines: RwLock::new(baselines),
            routes: RwLock::default(),
            triggers,
            next_look: AtomicU64::new(0),
            overloaded: AtomicBool::new(false),
            turned_away: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A builder with the [defaults](BreakerBuilder).
    pub fn builder() -> BreakerBuilder {
        BreakerBuilder::default()
    }

    /// A layer for one route.
    pub fn layer(&self, route: &str) -> BreakerLayer<Refuse> {
        BreakerLayer::new(self.clone(), Named::Route(self.route(route)))
    }

    /// A layer that tells routes apart by what a router has put into the extensions of its requests. A request without a name
    /// passes.
    ///
    /// As there is one route for each name, it must be that of a pattern: a client can make up as many paths as it likes.
    ///
    /// ```
    /// use tower_flowctl::breaker::Breaker;
    ///
    /// #[derive(Clone)]
    /// struct Pattern(&'static str);
    ///
    /// let layer = Breaker::builder()
    ///     .build()
    ///     .layer_by(|extensions| Some(extensions.get::<Pattern>()?.0));
    /// # drop(layer);
    /// ```
    pub fn layer_by(&self, name: fn(&Extensions) -> Option<&str>) -> BreakerLayer<Refuse> {
        BreakerLayer::new(self.clone(), Named::By(name))
    }

    /// A layer that tells routes apart by axum's `MatchedPath`, for [`Router::route_layer`](axum::Router::route_layer). A
    /// request without one passes.
    #[cfg(feature = "axum")]
    pub fn layer_by_matched_path(&self) -> BreakerLayer<Refuse> {
        self.layer_by(|extensions| {
            let path = extensions.get::<axum::extract::MatchedPath>()?;
            Some(path.as_str())
        })
    }

    /// Replaces the baselines.
    pub fn set_baselines(&self, baselines: Baselines) {
        // First for the routes that are still to be made: whichever is made from here on, has these or is there below.
        let mut stored = self
            .shared
            .baselines
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *stored = baselines.clone();
        drop(stored);
        for route in self.routes() {
            route.set_stored(baselines.get(route.name()).copied());
        }
    }

    /// What all routes have shown so far while they were healthy, to be stored as baselines.
    pub fn observed(&self) -> Baselines {
        let now = self.now();
        let mut observed = Baselines::new();
        for route in self.routes() {
            self.advance(&route, now);
            if let Some(baseline) = route.observed() {
                observed = observed.with(route.name(), baseline);
            }
        }
        observed
    }

    /// The state of all routes.
    pub fn snapshot(&self) -> BreakerSnapshot {
        let now = self.now();
        let snapshot = |route: &Arc<Route>| {
            self.advance(route, now);
            route.snapshot()
        };
        let mut routes: Vec<RouteSnapshot> = self.routes().iter().map(snapshot).collect();
        routes.sort_by(|a, b| a.route.cmp(&b.route));
        BreakerSnapshot {
            overloaded: self.is_overloaded(now),
            routes,
        }
    }

    /// Where a route stands; `Closed` if it is not known.
    pub fn state(&self, route: &str) -> BreakerState {
        let snapshot = self.snapshot();
        let known = snapshot
            .routes
            .into_iter()
            .find(|known| known.route == route);
        known.map(|route| route.state).unwrap_or_default()
    }

    fn routes(&self) -> Vec<Arc<Route>> {
        let routes = self
            .shared
            .routes
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        routes.values().cloned().collect()
    }

    /// The route of this name, made if it is new.
    pub(super) fn route(&self, name: &str) -> Arc<Route> {
        let shared = &self.shared;
        {
            let routes = shared.routes.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(route) = routes.get(name) {
                return Arc::clone(route);
            }
        }
        let mut routes = shared
            .routes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let baselines = shared
                .baselines
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            // The windows of all routes end together.
            let passed = self.now() / shared.window;
            let end = (passed + 1).saturating_mul(shared.window);
            Arc::new(Route::new(name, baselines.get(name).copied(), end))
        };
        Arc::clone(routes.entry(name.into()).or_insert_with(new))
    }

    /// What the clock says, in nanoseconds since the breaker was made: as all its times are told.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        nanos(self.shared.origin.elapsed())
    }

    /// Ends the windows of a route that are over.
    fn advance(&self, route: &Route, now: u64) {
        if now >= route.window_end() {
            let Shared {
                window,
                rules,
                probes,
                ..
            } = &*self.shared;
            route.rotate(now, *window, rules, *probes);
        }
    }

    /// Whether a request that begins now passes.
    pub(super) fn admits(&self, route: &Route, now: u64) -> bool {
        self.advance(route, now);
        !self.is_overloaded(now) && route.admits()
    }

    /// Takes down the latency of a request that ends now.
    pub(super) fn record(&self, route: &Route, begun: u64) {
        let now = self.now();
        self.advance(route, now);
        // What began before it was half-open is no probe, however late it ends.
        if begun >= route.counts_from() {
            route.record(since(begun, now));
        }
    }

    /// How long ago something was.
    pub(super) fn elapsed(&self, begun: u64) -> Duration {
        since(begun, self.now())
    }

    fn is_overloaded(&self, now: u64) -> bool {
        let shared = &self.shared;
        if shared.triggers.is_empty() {
            return false;
        }
        let due = shared.next_look.load(Relaxed);
        let looks = now >= due
            && shared
                .next_look
                .compare_exchange(due, now.saturating_add(LOOK), Relaxed, Relaxed)
                .is_ok();
        if looks {
            let overloaded = shared.triggers.look(Instant::now()).is_some();
            shared.overloaded.store(overloaded, Relaxed);
        }
        shared.overloaded.load(Relaxed)
    }

    /// In how many seconds a client that is turned away should come back: when requests pass again, or up to half of that later,
    /// so that not all come at once.
    pub(super) fn retry_after(&self, route: &Route, now: u64) -> u64 {
        let left = route.passes_from().saturating_sub(now);
        let wait = left.div_ceil(1_000_000_000).max(1);
        let count = self.shared.turned_away.fetch_add(1, Relaxed);
        // Fibonacci hashing spreads consecutive numbers evenly.
        let spread = count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        wait + spread % (wait / 2 + 1)
    }
}

/// Hashes the names of routes, a word at a time. They are the program's own patterns: nobody picks them so that they collide,
/// which is what the standard hasher guards against, at several times the cost of all else in a look-up.
#[derive(Default)]
struct NameHasher(u64);

impl NameHasher {
    fn add(&mut self, word: u64) {
        // A factor with its bits well spread, as in rustc's own tables.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0xf135_7aea_2e62_a9c5);
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words
            .iter()
            .for_each(|word| self.add(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.add(byte.into());
    }

    #[inline]
    fn finish(&self) -> u64 {
        // The table picks a place by the low bits, which a multiplication mixes least.
        self.0.rotate_left(26)
    }
}

fn since(begun: u64, now: u64) -> Duration {
    Duration::from_nanos(now.saturating_sub(begun))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("window", &Duration::from_nanos(self.shared.window))
            .field("routes", &self.routes().len())
            .field("overloaded", &self.shared.overloaded)
            .finish_non_exhaustive()
    }
}

/// The state of a [`Breaker`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BreakerSnapshot {
    /// Whether a trigger is set off, so that all routes are degraded.
    pub overloaded: bool,
    /// The routes, by name.
    pub routes: Vec<RouteSnapshot>,
}
