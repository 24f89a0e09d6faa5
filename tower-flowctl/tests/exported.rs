//! What a recorder of the `metrics` facade sees of admission and breakers, and the JSON of snapshots: both are what dashboards
//! are made of, and may not change unnoticed.
#![cfg(all(
    feature = "admission",
    feature = "axum",
    feature = "breaker",
    feature = "metrics",
    feature = "serde"
))]

mod support;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, routing::get};
use http::{Request, Response};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use serde_json::{Value, json};
use support::{Client, Server};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_flowctl::{
    admission::{Admission, Class, Limits},
    breaker::{Baseline, Baselines, Breaker},
    http2::{Http2Metrics, Reason},
    limit::{AdaptiveLimitLayer, Gradient, Limiter, Queue},
};

/// Keeps the last value of everything, by name and label.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Arc<Cell>>>);

/// The bits of a float.
#[derive(Default)]
struct Cell(AtomicU64);

impl CounterFn for Cell {
    fn increment(&self, _: u64) {
        panic!("counts are published as they are");
    }

    fn absolute(&self, value: u64) {
        self.set(value as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, _: f64) {
        panic!("values are published as they are");
    }

    fn decrement(&self, _: f64) {
        panic!("values are published as they are");
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), SeqCst);
    }
}

impl Kept {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let labels = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let name = [key.name().to_owned()].into_iter().chain(labels);
        let name = name.collect::<Vec<_>>().join(" ");
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn values(&self) -> BTreeMap<String, f64> {
        let kept = self.0.lock().unwrap();
        let value = |cell: &Cell| f64::from_bits(cell.0.load(SeqCst));
        kept.iter()
            .map(|(name, cell)| (name.clone(), value(cell)))
            .collect()
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

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("there is no histogram {}", key.name());
    }
}

/// A server with two clients, of which one is idle and one waits for an answer, and a third that was refused.
async fn server() -> (Server, [Client; 2]) {
    let admission = Admission::builder()
        .limits(Limits::none().total(2))
        .class(Class::new("management").limit(5).reserve(8))
        .build()
        .unwrap();
    // On this thread, whose recorder is the test's.
    tokio::spawn(admission.maintain());
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/pending", get(std::future::pending::<()>));
    let server = Server::start(admission, app).await;
    let mut idle = server.connect().await;
    idle.get("/").await;
    let mut active = server.connect().await;
    active
        .send("GET /pending HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    server.until(|snapshot| snapshot.states.active == 1).await;
    assert_eq!(server.connect().await.get("/").await.status, 503);
    (server, [idle, active])
}

#[tokio::test]
async fn admission_publishes_all_of_its_counts() {
    let kept = Kept::default();
    let _recorder = metrics::set_default_local_recorder(&kept);
    let (server, _clients) = server().await;
    let refused = "flowctl_connections_refused_total reason=total";
    while kept.values().get(refused) != Some(&1.0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let snapshot = server.admission.snapshot();
    let mut values = kept.values();
    let open = values.remove("flowctl_descriptors_open").unwrap();
    assert!(open >= 2.0, "{open}");
    let limit = values.remove("flowctl_descriptors_limit");
    assert_eq!(limit, Some(f64::from(snapshot.descriptors.limit)));
    let expected = [
        ("flowctl_accept_out_of_descriptors_total", 0.0),
        ("flowctl_accept_pauses_total", 0.0),
        ("flowctl_connections_accepted_total", 2.0),
        ("flowctl_connections_cut_total reason=asked", 0.0),
        ("flowctl_connections_cut_total reason=drained", 0.0),
        ("flowctl_connections_cut_total reason=handshake", 0.0),
        ("flowctl_connections_cut_total reason=header", 0.0),
        ("flowctl_connections_cut_total reason=idle", 0.0),
        ("flowctl_connections_cut_total reason=reclaimed", 0.0),
        ("flowctl_connections_cut_total reason=slow_body", 0.0),
        ("flowctl_connections_cut_total reason=slow_read", 0.0),
        ("flowctl_connections_open class=default", 2.0),
        ("flowctl_connections_open class=management", 0.0),
        ("flowctl_connections_refused_total reason=address", 0.0),
        ("flowctl_connections_refused_total reason=class", 0.0),
        ("flowctl_connections_refused_total reason=descriptors", 0.0),
        ("flowctl_connections_refused_total reason=prefix", 0.0),
        ("flowctl_connections_refused_total reason=proxy", 0.0),
        ("flowctl_connections_refused_total reason=total", 1.0),
        ("flowctl_descriptor_leaks_total", 0.0),
        ("flowctl_drain_cut_total", 0.0),
        ("flowctl_drain_seconds", 0.0),
        ("flowctl_draining", 0.0),
        ("flowctl_descriptors_pressure", 0.0),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(values, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_snapshot_of_admission_in_json() {
    let (server, _clients) = server().await;
    let mut value = serde_json::to_value(server.admission.snapshot()).unwrap();
    let Value::Object(mut descriptors) = value["descriptors"].take() else {
        panic!("{value}");
    };
    for name in ["used", "limit", "headroom", "unaccounted"] {
        assert!(descriptors.remove(name).unwrap().is_u64(), "{name}");
    }
    let rest = json!({"pressure": "normal", "leak_reports": 0, "last_leak": null});
    assert_eq!(Value::Object(descriptors), rest);
    let expected = json!({
        "open": 2,
        "states": {"handshaking": 0, "receiving": 0, "idle": 1, "active": 1, "draining": 0},
        "classes": [
            {"name": "default", "open": 2, "limit": null, "reserve": 0},
            {"name": "management", "open": 0, "limit": 5, "reserve": 8},
        ],
        "accepted": 2,
        "refused": [
            ["total", 1],
            ["class", 0],
            ["descriptors", 0],
            ["address", 0],
            ["prefix", 0],
            ["proxy", 0],
        ],
        "cut": [
            ["handshake", 0],
            ["header", 0],
            ["slow_body", 0],
            ["slow_read", 0],
            ["idle", 0],
            ["reclaimed", 0],
            ["drained", 0],
            ["asked", 0],
        ],
        "pauses": 0,
        "out_of_descriptors": 0,
        "descriptors": null,
        "draining": false,
        "drain": null,
    });
    assert_eq!(value, expected);
}

/// Two windows of a route whose baseline is a second, with one request of a quarter of a second in each.
#[tokio::test(start_paused = true)]
async fn a_breaker_publishes_its_routes_and_shows_them_in_json() {
    let kept = Kept::default();
    let _recorder = metrics::set_default_local_recorder(&kept);
    let second = Duration::from_secs(1);
    let baselines = Baselines::new().with("/x", Baseline::new(second, second, second, 1000));
    let breaker = Breaker::builder().baselines(baselines).build();
    let service = breaker
        .layer("/x")
        .layer(service_fn(|_: Request<()>| async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
    for _ in 0..2 {
        service.clone().oneshot(Request::new(())).await.unwrap();
        tokio::time::sleep(15 * second).await;
    }
    let snapshot = serde_json::to_value(breaker.snapshot()).unwrap();
    let route = &snapshot["routes"][0];
    let p95 = route["p95"]["nanos"].as_u64().unwrap();
    // Two digits are kept.
    assert!((250_000_000..255_000_000).contains(&p95), "{route}");
    assert_eq!(route["p95"]["secs"], 0);
    assert_eq!(route["baseline"], json!({"secs": 1, "nanos": 0}));
    let expected = json!({
        "overloaded": false,
        "routes": [{
            "route": "/x", "state": "closed", "slow_windows": 0, "samples": 1,
            "p95": route["p95"], "baseline": route["baseline"], "passed": 2, "degraded": 0,
        }],
    });
    assert_eq!(snapshot, expected);
    let values = kept.values();
    let expected = [
        ("flowctl_breaker_degraded_total route=/x", 0.0),
        ("flowctl_breaker_p95_seconds route=/x", p95 as f64 / 1e9),
        ("flowctl_breaker_passed_total route=/x", 2.0),
        ("flowctl_breaker_state route=/x", 0.0),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(values, BTreeMap::from(expected));
}

/// One request is never answered, and is given up.
#[tokio::test(start_paused = true)]
async fn a_drain_publishes_how_it_gets_on_and_shows_it_in_json() {
    let kept = Kept::default();
    let _recorder = metrics::set_default_local_recorder(&kept);
    let (server, clients) = server().await;
    let report = server.admission.drain(Duration::from_millis(500)).await;
    assert_eq!((report.open, report.cut.len()), (2, 1));
    while kept.values().get("flowctl_drain_cut_total") != Some(&1.0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let values = kept.values();
    assert_eq!(values["flowctl_draining"], 1.0);
    assert!(values["flowctl_drain_seconds"] >= 0.5, "{values:?}");
    let snapshot = server.admission.snapshot();
    let took = snapshot.drain.unwrap().took;
    assert_eq!(took.as_secs_f64(), values["flowctl_drain_seconds"]);
    let mut value = serde_json::to_value(&snapshot).unwrap();
    let expected = json!({
        "open": 2, "cut": 1, "took": {"secs": took.as_secs(), "nanos": took.subsec_nanos()},
    });
    assert_eq!(value["drain"].take(), expected);
    drop(clients);
}

#[test]
fn a_snapshot_of_http2_in_json() {
    let metrics = Http2Metrics::default();
    let mut value = serde_json::to_value(metrics.snapshot()).unwrap();
    let Value::Array(closed) = value["closed"].take() else {
        panic!("{value}");
    };
    let expected: Vec<Value> = Reason::ALL
        .iter()
        .map(|reason| json!([reason.name(), 0]))
        .collect();
    assert_eq!(closed, expected);
    let expected =
        json!({"connections": 0, "requests": 0, "unnamed": 0, "updates": 0, "closed": null});
    assert_eq!(value, expected);
}

/// A limit of one, of which the first request makes use, for which the second waits in vain, and which refuses the third.
#[tokio::test(start_paused = true)]
async fn a_limiter_publishes_all_of_its_counts() {
    let kept = Kept::default();
    let _recorder = metrics::set_default_local_recorder(&kept);
    let limiter = Limiter::named("reports", Gradient::fixed(1), Queue::default().length(1));
    let mut service =
        AdaptiveLimitLayer::new(limiter.clone()).layer(service_fn(|_: Request<()>| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
    let published = || {
        let values = kept.values();
        let value = |name| values[&format!("flowctl_limiter_{name} limiter=reports")];
        [
            "limit",
            "in_flight",
            "queue",
            "accepted_total",
            "queued_total",
            "rejected_total",
        ]
        .map(value)
    };
    let first = tokio::spawn(service.call(Request::new(())));
    // As soon as there is something.
    assert_eq!(published(), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    let second = tokio::spawn(service.call(Request::new(())));
    let third = service.call(Request::new(())).await.unwrap();
    assert_eq!(third.status(), 503);
    // Not at every request.
    assert_eq!(published(), [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    limiter.publish();
    assert_eq!(published(), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(second.await.unwrap().unwrap().status(), 503);
    assert_eq!(published(), [1.0, 1.0, 0.0, 1.0, 1.0, 2.0]);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(published(), [1.0, 0.0, 0.0, 1.0, 1.0, 2.0]);
    // The end of a request is told at once if it is the last.
    let next = service.call(Request::new(()));
    assert_eq!(published(), [1.0, 0.0, 0.0, 1.0, 1.0, 2.0]);
    limiter.publish();
    drop(next);
    assert_eq!(published(), [1.0, 0.0, 0.0, 2.0, 1.0, 2.0]);
}

#[tokio::test]
async fn a_snapshot_of_a_limiter_in_json() {
    let limiter = Limiter::new(Gradient::fixed(7), Queue::none());
    let expected = json!({
        "limit": 7, "in_flight": 0, "queue": 0, "accepted": 0, "queued": 0, "rejected": 0,
    });
    assert_eq!(serde_json::to_value(limiter.snapshot()).unwrap(), expected);
}
