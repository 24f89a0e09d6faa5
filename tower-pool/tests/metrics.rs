//! The pool's figures as a recorder of the `metrics` facade sees them.
#![cfg(all(feature = "metrics", not(pool_loom)))]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use tower_pool::{Maintenance, Pool, PoolMetrics, PressureGauge};

/// Keeps the last value of everything, by name and labels.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Arc<Cell>>>);

#[derive(Default)]
struct Cell(AtomicU64);

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::SeqCst);
    }

    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.0.fetch_add(value as u64, Ordering::SeqCst);
    }

    fn decrement(&self, value: f64) {
        self.0.fetch_sub(value as u64, Ordering::SeqCst);
    }

    fn set(&self, value: f64) {
        self.0.store(value as u64, Ordering::SeqCst);
    }
}

impl Kept {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let labels: Vec<_> = key.labels().map(|label| label.value()).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        self.0.lock().unwrap().entry(name).or_default().clone()
    }

    fn value(&self, name: &str) -> Option<u64> {
        let kept = self.0.lock().unwrap();
        kept.get(name).map(|cell| cell.0.load(Ordering::SeqCst))
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn what_happened_is_published_by_class() {
    let kept = Kept::default();
    let pool = Pool::builder()
        .classes([4096, 16384])
        .limit(32768)
        .build()
        .unwrap();
    let metrics = metrics::with_local_recorder(&kept, || PoolMetrics::new("bodies", &pool));
    let mut maintenance = Maintenance::new(pool.clone())
        .gauge(PressureGauge::off())
        .metrics(metrics);
    let out = pool.try_acquire(1).unwrap();
    drop(pool.try_acquire(1).unwrap());
    drop(pool.try_acquire(5000).unwrap());
    drop(pool.try_acquire(5000).unwrap());
    drop(pool.acquire(1));
    pool.trim_all();
    maintenance.tick(Duration::from_secs(1));
    let wanted = [
        ("pool_hits_total bodies 4096", 0),
        ("pool_misses_total bodies 4096", 2),
        ("pool_hits_total bodies 16384", 1),
        ("pool_misses_total bodies 16384", 1),
        ("pool_in_use bodies 4096", 1),
        ("pool_in_use bodies 16384", 0),
        ("pool_idle bodies 4096", 0),
        ("pool_budget_used_bytes bodies", 4096),
        ("pool_budget_limit_bytes bodies", 32768),
        ("pool_waiting bodies", 0),
        ("pool_waits_total bodies", 0),
        ("pool_trims_total bodies", 2),
        ("pool_trimmed_bytes_total bodies", 20480),
    ];
    for (name, value) in wanted {
        assert_eq!(kept.value(name), Some(value), "{name}");
    }
    drop(out);
}
