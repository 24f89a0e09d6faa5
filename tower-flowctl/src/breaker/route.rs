//! A route's latencies and its breaker.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hdrhistogram::{Counter, Histogram};

use super::{
    Baseline, BreakerState,
    baseline::Learned,
    state::{Machine, Rules, Window, is_slower},
};

/// The longest latency that is told from longer ones, a minute in microseconds.
const LONGEST: u64 = 60_000_000;

/// The value of `Route::probes` while the breaker is closed.
const UNLIMITED: u32 = u32::MAX;

pub(crate) struct Route {
    name: String,
    /// When the current window ends, in nanoseconds since the breaker was made.
    window_end: AtomicU64,
    /// When the breaker is half-open, if it is open now, in nanoseconds since it was made.
    open_until: AtomicU64,
    /// Requests that may still pass in this window.
    probes: AtomicU32,
    /// When the breaker became half-open, in nanoseconds since it was made; zero in other states.
    probed_since: AtomicU64,
    latencies: Mutex<Histogram<u32>>,
    history: Mutex<History>,
    passed: AtomicU64,
    degraded: AtomicU64,
    #[cfg(feature = "metrics")]
    metrics: std::sync::OnceLock<super::metrics::Handles>,
}

/// What the windows have shown so far.
struct History {
    machine: Machine,
    stored: Option<Baseline>,
    learned: Learned,
    /// All latencies of windows that were not slow.
    healthy: Histogram<u64>,
    last: Window,
}

impl Route {
    pub(crate) fn new(name: &str, stored: Option<Baseline>, first_window_end: u64) -> Self {
        Self {
            name: name.to_owned(),
            window_end: AtomicU64::new(first_window_end),
            open_until: AtomicU64::new(0),
            probes: AtomicU32::new(UNLIMITED),
            probed_since: AtomicU64::new(0),
            latencies: Mutex::new(histogram()),
            history: Mutex::new(History {
                machine: Machine::default(),
                stored,
                learned: Learned::default(),
                healthy: histogram(),
                last: Window::QUIET,
            }),
            passed: AtomicU64::new(0),
            degraded: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            metrics: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a request passes.
    pub(crate) fn admits(&self) -> bool {
        let take = |probes| match probes {
            UNLIMITED => None,
            probes => u32::checked_sub(probes, 1),
        };
        self.probes.load(Relaxed) == UNLIMITED
            || match self.probes.fetch_update(Relaxed, Relaxed, take) {
                Ok(_) => true,
                Err(left) => left == UNLIMITED,
            }
    }

    pub(crate) fn count_passed(&self) {
        self.passed.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_degraded(&self) {
        self.degraded.fetch_add(1, Relaxed);
    }

    /// The time from which latencies count: half-open, those of requests that began while it was.
    pub(crate) fn counts_from(&self) -> u64 {
        self.probed_since.load(Relaxed)
    }

    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST);
        // Within its bounds a histogram takes everything.
        let _ = lock(&self.latencies).record(micros.clamp(1, LONGEST));
    }

    /// Whether a request took longer than what the route is compared with, if there is something yet.
    pub(crate) fn is_above_baseline(&self, latency: Duration) -> bool {
        lock(&self.history)
            .baseline()
            .is_some_and(|baseline| latency > baseline)
    }

    /// When the current window ends, in nanoseconds.
    pub(crate) fn window_end(&self) -> u64 {
        self.window_end.load(Relaxed)
    }

    /// When requests pass again, as far as is known: when the window ends, or the last in which the breaker is open.
    pub(crate) fn passes_from(&self) -> u64 {
        self.window_end().max(self.open_until.load(Relaxed))
    }

    /// Ends the windows of length `window` that are over by `now`, both in nanoseconds.
    pub(crate) fn rotate(&self, now: u64, window: u64, rules: &Rules, probes: u32) {
        let mut history = lock(&self.history);
        let end = self.window_end();
        if now < end {
            // Somebody else was faster.
            return;
        }
        let ended = 1 + (now - end) / window;
        let next = end.saturating_add(ended.saturating_mul(window));
        self.window_end.store(next, Relaxed);
        let was = history.machine.state();
        let latencies = std::mem::replace(&mut *lock(&self.latencies), histogram());
        history.window_ended(&latencies, rules);
        // In the others there was no request.
        if ended > 1 {
            history.quiet(ended - 1, rules);
        }
        let is = history.machine.state();
        let more = u64::from(history.machine.windows_left(rules).saturating_sub(1));
        let open_until = next.saturating_add(more.saturating_mul(window));
        self.open_until.store(open_until, Relaxed);
        let probes = match is {
            BreakerState::Closed => UNLIMITED,
            BreakerState::Open => 0,
            BreakerState::HalfOpen => probes,
        };
        if is != was {
            let since = match is {
                BreakerState::HalfOpen => next.saturating_sub(window),
                BreakerState::Closed | BreakerState::Open => 0,
            };
            self.probed_since.store(since, Relaxed);
        }
        self.probes.store(probes, Relaxed);
        #[cfg(feature = "metrics")]
        self.metrics
            .get_or_init(|| super::metrics::Handles::new(&self.name))
            .publish(&self.snapshot_of(&history));
    }

    pub(crate) fn set_stored(&self, baseline: Option<Baseline>) {
        lock(&self.history).stored = baseline;
    }

    /// The percentiles of all healthy windows; `None` if there was none.
    pub(crate) fn observed(&self) -> Option<Baseline> {
        let history = lock(&self.history);
        let healthy = &history.healthy;
        let at = |quantile| Duration::from_micros(healthy.value_at_quantile(quantile));
        (!healthy.is_empty()).then(|| Baseline::new(at(0.5), at(0.95), at(0.99), healthy.len()))
    }

    pub(crate) fn snapshot(&self) -> RouteSnapshot {
        self.snapshot_of(&lock(&self.history))
    }

    fn snapshot_of(&self, history: &History) -> RouteSnapshot {
        RouteSnapshot {
            route: self.name.clone(),
            state: history.machine.state(),
            slow_windows: history.machine.slow_windows(),
            samples: history.last.samples,
            p95: history.last.p95,
            baseline: history.baseline(),
            passed: self.passed.load(Relaxed),
            degraded: self.degraded.load(Relaxed),
        }
    }
}

impl History {
    fn baseline(&self) -> Option<Duration> {
        let stored = self.stored.map(|baseline| baseline.p95());
        stored.or_else(|| self.learned.p95())
    }

    fn window_ended(&mut self, latencies: &Histogram<u32>, rules: &Rules) {
        let window = Window {
            samples: latencies.len(),
            p95: Duration::from_micros(latencies.value_at_quantile(0.95)),
        };
        let was = self.machine.state();
        let is = self.machine.window_ended(window, self.baseline(), rules);
        let healthy = was == BreakerState::Closed
            && is == BreakerState::Closed
            && self.machine.slow_windows() == 0
            && window.samples >= rules.least_samples;
        if healthy {
            // What is neither slow nor well is not learned from: a decline in small steps would become the normal state.
            let known = self.learned.p95();
            if known.is_none_or(|known| !is_slower(window.p95, known, rules.recover_factor)) {
                self.learned.healthy(window.p95);
            }
            for recorded in latencies.iter_recorded() {
                let count = u64::from(recorded.count_at_value());
                let _ = self.healthy.record_n(recorded.value_iterated_to(), count);
            }
        }
        self.last = window;
    }

    fn quiet(&mut self, windows: u64, rules: &Rules) {
        self.machine.quiet(windows, rules);
        self.last = Window::QUIET;
    }
}

/// Two digits: percentiles are right to a hundredth, in 10 KiB for counts of four bytes.
fn histogram<C: Counter>() -> Histogram<C> {
    Histogram::new_with_bounds(1, LONGEST, 2).expect("the bounds are valid")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot().fmt(f)
    }
}

/// A route of a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RouteSnapshot {
    /// Its name.
    pub route: String,
    /// Where it stands.
    pub state: BreakerState,
    /// Slow windows in a row.
    pub slow_windows: u32,
    /// Requests in the last window.
    pub samples: u64,
    /// The 95th percentile of the last window.
    pub p95: Duration,
    /// What it is compared with, if there is a baseline yet.
    pub baseline: Option<Duration>,
    /// Requests that passed, since the start.
    pub passed: u64,
    /// Requests that were degraded, since the start.
    pub degraded: u64,
}
