//! What the dashboard shows, taken once a second.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};
use tower_flowctl::breaker::BreakerSnapshot;

use crate::app::App;
use crate::live;
use crate::observe::{BUCKETS, Counts, upper_bound};
use crate::serve::Port;
use crate::system;

/// Seconds that a new reader is shown.
const PAST: usize = 180;

/// The figures of the last minutes, and where those to come are told.
#[derive(Debug)]
pub(super) struct Board {
    past: Mutex<VecDeque<Arc<str>>>,
    coming: broadcast::Sender<Arc<str>>,
}

impl Default for Board {
    fn default() -> Self {
        Board {
            past: Mutex::default(),
            coming: broadcast::channel(16).0,
        }
    }
}

impl Board {
    pub(super) fn subscribe(&self) -> (Vec<Arc<str>>, broadcast::Receiver<Arc<str>>) {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        (past.iter().cloned().collect(), self.coming.subscribe())
    }

    fn publish(&self, frame: Arc<str>) {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() == PAST {
            past.pop_front();
        }
        past.push_back(frame.clone());
        // Nobody may be looking.
        let _ = self.coming.send(frame);
    }
}

/// Takes figures for ever.
pub(super) async fn sample(app: App, board: Arc<Board>, settings: impl Fn() -> Value) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = HashMap::new();
    loop {
        ticks.tick().await;
        let routes = app.traffic.counts();
        let mut frame = frame(&app, &routes, &before);
        frame["settings"] = settings();
        board.publish(frame.to_string().into());
        before = routes.into_iter().collect();
    }
}

fn frame(app: &App, routes: &[(String, Counts)], before: &HashMap<String, Counts>) -> Value {
    let nothing = Counts::default();
    let mut all = Counts::default();
    let mut rows = Vec::new();
    for (pattern, counts) in routes {
        let last = counts.since(before.get(pattern).unwrap_or(&nothing));
        for (sum, count) in all.durations.iter_mut().zip(last.durations) {
            *sum += count;
        }
        rows.push(json!({
            "route": pattern,
            "rate": last.total(),
            "total": counts.total(),
            "errors": counts.statuses[4],
            // Of the whole time: one second of a quiet route says nothing.
            "p50": counts.percentile(0.5),
            "p95": counts.percentile(0.95),
            "p99": counts.percentile(0.99),
        }));
    }
    let ports = Port::ALL.map(|port| {
        let open = app.connections.open(port);
        json!({"port": port.name(), "open": open, "accepted": app.connections.accepted(port)})
    });
    json!({
        "time": OffsetDateTime::now_utc().unix_timestamp(),
        "uptime": app.started.elapsed().as_secs(),
        "rate": all.total(),
        "p50": all.percentile(0.5),
        "p99": all.percentile(0.99),
        "heat": heat(&all),
        "in_flight": app.traffic.in_flight.load(Ordering::Relaxed),
        "routes": rows,
        "ports": ports,
        "http2": app.http2.snapshot(),
        "websockets": live::open_sockets(),
        "breaker": breaker(app),
        "limiter": app.limiter.snapshot(),
        "admission": app.admission.snapshot(),
        "memory": system::resident_bytes(),
        "pool": pool(app),
        "files": files(app),
        "upstreams": upstream(app),
        "uploads": uploads(app),
        "store": app.store.saved_batches(),
    })
}

/// The breakers of the routes that were asked for.
fn breaker(app: &App) -> BreakerSnapshot {
    let mut breaker = app.breaker.snapshot();
    breaker
        .routes
        .retain(|route| route.passed + route.degraded > 0);
    breaker
}

/// Counts by octave, with the duration in seconds that each stays under.
fn heat(counts: &Counts) -> Value {
    let octaves = (0..BUCKETS).step_by(4).map(|last| {
        let first = (last + 1).saturating_sub(4);
        let count: u64 = counts.durations[first..=last].iter().sum();
        json!([upper_bound(last), count])
    });
    let above = counts.durations[BUCKETS - 1];
    octaves.chain([json!([null, above])]).collect()
}

fn pool(app: &App) -> Value {
    let stats = app.pool.stats();
    let classes = stats.classes.iter().map(|class| {
        json!({
            "size": class.size,
            "idle": class.idle,
            "in_use": class.in_use,
            "hits": class.hits,
            "misses": class.misses,
        })
    });
    json!({
        "allocated": stats.allocated,
        "limit": stats.limit,
        "waiting": stats.waiting,
        "classes": classes.collect::<Vec<_>>(),
    })
}

fn files(app: &App) -> Value {
    let files = app.files.snapshot();
    json!({
        "heap_bytes": files.heap_bytes,
        "sealed_bytes": files.sealed_bytes,
        "window_bytes": files.window_bytes,
        "read_bytes": files.read_bytes,
        "sendfile_bytes": files.sendfile_bytes,
        "sendfile_calls": files.sendfile_calls,
        "cache_hits": files.cache_hits,
        "cache_misses": files.cache_misses,
    })
}

fn upstream(app: &App) -> Value {
    let rows = app.proxies.figures().into_iter().map(|(address, stats)| {
        json!({
            "address": address,
            "idle": stats.idle,
            "in_use": stats.in_use,
            "hits": stats.hits,
            "misses": stats.misses,
            "waiting": stats.waiting,
        })
    });
    rows.collect()
}

fn uploads(app: &App) -> Value {
    let figures = app.uploads.figures();
    json!({"whole": figures.whole, "partial": figures.partial, "bytes": figures.bytes})
}
