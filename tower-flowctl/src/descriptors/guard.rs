use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    Inventory, LeakReport, Pressure,
    leak::{LeakDetector, Suspicion},
    level::{Level, Thresholds},
    places,
    spare::Spares,
    usage::{self, Short},
};
use crate::admission::ticks;

/// How the descriptors of the process are guarded.
#[derive(Clone)]
pub struct DescriptorGuard {
    low: f64,
    high: f64,
    critical: f64,
    debounce: Duration,
    headroom: Option<u32>,
    spares: u32,
    places: u32,
    leak_window: Duration,
    accounts: Vec<Account>,
    on_leak: Option<OnLeak>,
}

type OnLeak = Arc<dyn Fn(&LeakReport) + Send + Sync>;

#[derive(Clone)]
struct Account {
    name: &'static str,
    count: Arc<dyn Fn() -> usize + Send + Sync>,
}

impl Default for DescriptorGuard {
    fn default() -> Self {
        Self::new()
    }
}

/// Each lets one connection in that is then refused, and is refilled behind it; more would only be in the way.
const MOST_SPARES: u32 = 32;

impl DescriptorGuard {
    /// The defaults: 0.80, 0.85 for 5 s, 0.95; a sixteenth of the limit as headroom, at least 16; 4 spares; 65,536 places;
    /// leaks looked for every minute.
    pub fn new() -> Self {
        Self {
            low: 0.80,
            high: 0.85,
            critical: 0.95,
            debounce: Duration::from_secs(5),
            headroom: None,
            spares: 4,
            places: 1 << 16,
            leak_window: Duration::from_secs(60),
            accounts: Vec::new(),
            on_leak: None,
        }
    }

    /// The part of the limit under which pressure ends, and down to which connections are closed.
    pub fn low(mut self, part: f64) -> Self {
        self.low = part;
        self
    }

    /// The part of the limit over which pressure begins, after the [debounce](Self::debounce).
    pub fn high(mut self, part: f64) -> Self {
        self.high = part;
        self
    }

    /// The part of the limit over which pressure is critical at once.
    pub fn critical(mut self, part: f64) -> Self {
        self.critical = part;
        self
    }

    /// How long use must stay over [`high`](Self::high).
    pub fn debounce(mut self, duration: Duration) -> Self {
        self.debounce = duration;
        self
    }

    /// Descriptors that connections leave to the application; as many as the limit or more keep out all connections but those of
    /// classes with a reserve.
    pub fn headroom(mut self, descriptors: u32) -> Self {
        self.headroom = Some(descriptors);
        self
    }

    /// Descriptors held open to be given up when accept(2) finds none: 32 at most, and at most a sixteenth of the limit or 4, whichever
    /// is more.
    pub fn spares(mut self, descriptors: u32) -> Self {
        self.spares = descriptors;
        self
    }

    /// Descriptors for which the kernel's table has places as soon as the admission is built, and never more than the limit: 8 bytes
    /// of the kernel's memory each, half a MiB by default. Zero leaves the table as it is.
    ///
    /// Linux lengthens the table when it is full, and has accept(2) sleep meanwhile if the process has threads: a burst of a
    /// thousand connections would stand still four times, for 5 to 30 ms each. To build the admission takes that long once. It
    /// goes by the limit of that time: raise it before.
    pub fn places(mut self, descriptors: u32) -> Self {
        self.places = descriptors;
        self
    }

    /// How long a window of the leak detector is.
    pub fn leak_window(mut self, window: Duration) -> Self {
        self.leak_window = window;
        self
    }

    /// Descriptors that something else has, such as a cache of files or a pool of upstream connections, so that they are no
    /// leak. `count` is called once a window, and for each snapshot.
    ///
    /// What grows step by step and keeps what it has is reported at each step, however long it rests in between: a slow leak
    /// looks the same. Caches and pools that are not filled from the beginning should be accounted for.
    pub fn account(
        mut self,
        name: &'static str,
        count: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        self.accounts.push(Account {
            name,
            count: Arc::new(count),
        });
        self
    }

    /// Called with every report of a leak, in the maintenance's task.
    pub fn on_leak(mut self, report: impl Fn(&LeakReport) + Send + Sync + 'static) -> Self {
        self.on_leak = Some(Arc::new(report));
        self
    }

    pub(crate) fn build(self) -> Result<Descriptors, ThresholdError> {
        let (low, high, critical) = (self.low, self.high, self.critical);
        if !(0.0 < low && low < high && high < critical && critical <= 1.0) {
            return Err(ThresholdError {
                low,
                high,
                critical,
            });
        }
        let limit = usage::limit().unwrap_or(u32::MAX);
        places::prepare(self.places.min(limit));
        let descriptors = Descriptors {
            thresholds: Thresholds {
                low,
                high,
                critical,
                debounce: ticks(self.debounce),
            },
            spares: Spares::new(self.spares.min((limit / 16).clamp(4, MOST_SPARES))),
            limit: AtomicU32::new(u32::MAX),
            sampled: AtomicU32::new(0),
            open_at_sample: AtomicU32::new(0),
            level: Mutex::new(Level::default()),
            leaks: Mutex::new(LeakDetector::default()),
            last_leak: Mutex::new(None),
            leak_reports: AtomicU64::new(0),
            guard: self,
        };
        descriptors.sample(0);
        Ok(descriptors)
    }
}

impl fmt::Debug for DescriptorGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts: Vec<_> = self.accounts.iter().map(|account| account.name).collect();
        f.debug_struct("DescriptorGuard")
            .field("low", &self.low)
            .field("high", &self.high)
            .field("critical", &self.critical)
            .field("debounce", &self.debounce)
            .field("headroom", &self.headroom)
            .field("spares", &self.spares)
            .field("places", &self.places)
            .field("leak_window", &self.leak_window)
            .field("accounts", &accounts)
            .finish_non_exhaustive()
    }
}

/// Thresholds that are not in order.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdError {
    low: f64,
    high: f64,
    critical: f64,
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the thresholds low {}, high {} and critical {} must be parts of the limit in rising order: \
             0 < low < high < critical <= 1",
            self.low, self.high, self.critical
        )
    }
}

impl std::error::Error for ThresholdError {}

/// The guard at work.
pub(crate) struct Descriptors {
    guard: DescriptorGuard,
    thresholds: Thresholds,
    spares: Spares,
    limit: AtomicU32,
    /// Open descriptors at the last sample, and the connections among them.
    sampled: AtomicU32,
    open_at_sample: AtomicU32,
    level: Mutex<Level>,
    leaks: Mutex<LeakDetector>,
    last_leak: Mutex<Option<LeakReport>>,
    leak_reports: AtomicU64,
}

/// Whether a connection may have of the descriptors that are kept for the application.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Headroom {
    Leave,
    Use,
}

impl Descriptors {
    /// Counts anew.
    pub(crate) fn sample(&self, open: u32) {
        self.spares.refill();
        self.limit
            .store(usage::limit().unwrap_or(u32::MAX), Relaxed);
        self.counted(open, usage::used());
    }

    /// Without a count, as where there is no descriptor left to count with, the last one stands.
    fn counted(&self, open: u32, used: Option<u32>) {
        if let Some(used) = used {
            self.sampled.store(used, Relaxed);
            self.open_at_sample.store(open, Relaxed);
        }
    }

    /// accept(2) found no descriptor. Where they cannot be counted any more, all that the process may have are in use, unless it is
    /// the system that has none.
    pub(crate) fn ran_out(&self, open: u32, short: Short) {
        self.spares.refill();
        self.counted(open, usage::used().or_else(|| short.used()));
    }

    /// Open descriptors: the last sample, and the connections since.
    pub(crate) fn used(&self, open: u32) -> u32 {
        let since = i64::from(open) - i64::from(self.open_at_sample.load(Relaxed));
        let used = i64::from(self.sampled.load(Relaxed)) + since;
        u32::try_from(used.max(0)).unwrap_or(u32::MAX)
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    pub(crate) fn headroom(&self) -> u32 {
        let default = (self.limit() / 16).max(16);
        self.guard.headroom.unwrap_or(default)
    }

    /// Whether one more connection leaves `kept` descriptors and the headroom.
    pub(crate) fn has_room(&self, open: u32, kept: u32, headroom: Headroom) -> bool {
        let headroom = match headroom {
            Headroom::Leave => self.headroom(),
            Headroom::Use => 0,
        };
        let wanted = u64::from(self.used(open)) + 1 + u64::from(kept) + u64::from(headroom);
        wanted <= u64::from(self.limit())
    }

    pub(crate) fn spares(&self) -> &Spares {
        &self.spares
    }

    /// Judges the use, which should have been sampled just now.
    pub(crate) fn judge(&self, now: u32, open: u32) -> Pressure {
        lock(&self.level).observe(now, self.part(open), &self.thresholds)
    }

    pub(crate) fn exhausted(&self) {
        lock(&self.level).exhausted();
    }

    pub(crate) fn pressure(&self) -> Pressure {
        lock(&self.level).pressure()
    }

    /// By how many descriptors use is over the low threshold.
    pub(crate) fn excess(&self, open: u32) -> u32 {
        let low = f64::from(self.limit()) * self.thresholds.low;
        self.used(open).saturating_sub(low as u32)
    }

    /// Where use is between the high threshold, 0, and the critical one, 1.
    pub(crate) fn severity(&self, open: u32) -> f64 {
        let Thresholds { high, critical, .. } = self.thresholds;
        ((self.part(open) - high) / (critical - high)).clamp(0.0, 1.0)
    }

    fn part(&self, open: u32) -> f64 {
        f64::from(self.used(open)) / f64::from(self.limit())
    }

    pub(crate) fn leak_window(&self) -> u32 {
        ticks(self.guard.leak_window)
    }

    /// Open descriptors that are neither connections, admitted or being refused, nor otherwise accounted for.
    pub(crate) fn unaccounted(&self, open: u32, refusing: u32) -> usize {
        let accounts: usize = self
            .guard
            .accounts
            .iter()
            .map(|account| (account.count)())
            .sum();
        let ours = open as usize + refusing as usize + self.spares.held();
        (self.used(open) as usize).saturating_sub(ours + accounts)
    }

    /// Ends a window of the leak detector; true if it wants an inventory.
    pub(crate) fn leak_window_ended(&self, unaccounted: usize) -> bool {
        lock(&self.leaks).window(unaccounted) == Suspicion::Grown
    }

    pub(crate) fn inspect(&self, unaccounted: usize, inventory: Inventory) {
        let Some(report) = lock(&self.leaks).inspect(unaccounted, inventory) else {
            return;
        };
        self.leak_reports.fetch_add(1, Relaxed);
        if let Some(on_leak) = &self.guard.on_leak {
            on_leak(&report);
        }
        *lock(&self.last_leak) = Some(report);
    }

    pub(crate) fn last_leak(&self) -> Option<LeakReport> {
        lock(&self.last_leak).clone()
    }

    pub(crate) fn leak_reports(&self) -> u64 {
        self.leak_reports.load(Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_out_of_order_are_named() {
        let error = DescriptorGuard::new().low(0.9).build().err().unwrap();
        assert!(error.to_string().contains("low 0.9"), "{error}");
        assert!(DescriptorGuard::new().critical(1.1).build().is_err());
    }

    /// As at EMFILE where counting takes a descriptor: the application's own are not forgotten.
    #[test]
    fn without_a_count_the_last_one_stands() {
        let descriptors = DescriptorGuard::new().build().unwrap();
        descriptors.counted(20, Some(50));
        descriptors.counted(25, None);
        assert_eq!(descriptors.used(25), 55);
        assert_eq!(descriptors.used(20), 50);
    }

    #[test]
    fn a_burst_is_seen_between_two_samples() {
        let descriptors = DescriptorGuard::new().headroom(10).build().unwrap();
        descriptors.limit.store(100, Relaxed);
        descriptors.sampled.store(50, Relaxed);
        descriptors.open_at_sample.store(20, Relaxed);
        assert_eq!(descriptors.used(20), 50);
        assert_eq!(descriptors.used(59), 89);
        assert!(descriptors.has_room(59, 0, Headroom::Leave));
        assert!(!descriptors.has_room(60, 0, Headroom::Leave));
        assert!(!descriptors.has_room(59, 1, Headroom::Leave));
        assert!(descriptors.has_room(60, 0, Headroom::Use));
        assert_eq!(descriptors.excess(20 + 40), 10);
        assert!((descriptors.severity(20 + 40) - 0.5).abs() < 0.01);
    }
}
