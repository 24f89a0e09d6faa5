//! The breaker as a layer, in simulated time.
#![cfg(feature = "breaker")]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{Request, Response, StatusCode};
use tokio::time::{Instant, sleep, sleep_until};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_flowctl::breaker::{Baseline, Baselines, Breaker, BreakerState, Shed, Trigger};

type Body = String;

/// A service whose latency is set from outside, in milliseconds.
fn service(
    latency: &Arc<AtomicU64>,
) -> impl Service<Request<()>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
+ Clone
+ use<> {
    let latency = Arc::clone(latency);
    service_fn(move |_| {
        let latency = Duration::from_millis(latency.load(Relaxed));
        async move {
            sleep(latency).await;
            Ok(Response::new("real".to_owned()))
        }
    })
}

fn baselines() -> Baselines {
    let ten = Duration::from_millis(10);
    Baselines::new().with("/x", Baseline::new(ten, ten, ten, 1000))
}

/// Ten requests a second until `end`; how many were degraded.
async fn run_until<S>(service: &S, end: Instant) -> usize
where
    S: Service<Request<()>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
{
    let degraded = Arc::new(AtomicUsize::new(0));
    while Instant::now() < end {
        let (service, degraded) = (service.clone(), Arc::clone(&degraded));
        tokio::spawn(async move {
            let response = service.oneshot(Request::new(())).await.unwrap();
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                let wait = response.headers()["retry-after"].to_str().unwrap();
                assert!((1..=45).contains(&wait.parse().unwrap()), "{wait}");
                degraded.fetch_add(1, Relaxed);
            }
        });
        sleep_until(end.min(Instant::now() + Duration::from_millis(100))).await;
    }
    degraded.load(Relaxed)
}

/// It is open for two windows, and who comes back before would be turned away again.
#[tokio::test(start_paused = true)]
async fn who_is_turned_away_is_asked_back_when_it_is_half_open() {
    let breaker = Breaker::builder().baselines(baselines()).build();
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    let latency = Arc::new(AtomicU64::new(26));
    let service = breaker.layer("/x").layer(service(&latency));
    run_until(&service, at(45)).await;
    for second in [46, 52, 59, 61, 67, 74] {
        sleep_until(at(second)).await;
        let response = service.clone().oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let wait = response.headers()["retry-after"].to_str().unwrap();
        let back = second + wait.parse::<u64>().unwrap();
        let left = 75 - second;
        assert!(
            (75..=75 + left.div_ceil(2)).contains(&back),
            "{second}: {wait}"
        );
    }
    sleep_until(at(75)).await;
    assert_eq!(breaker.state("/x"), BreakerState::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn opens_after_three_slow_windows_and_closes_after_good_probes() {
    let breaker = Breaker::builder().baselines(baselines()).build();
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    let latency = Arc::new(AtomicU64::new(10));
    let service = breaker.layer("/x").layer(service(&latency));
    let state = || breaker.state("/x");

    // A healthy window, then slow ones: 26 ms against 2.5 × 10.
    assert_eq!(run_until(&service, at(15)).await, 0);
    latency.store(26, Relaxed);
    let just_before = at(60) - Duration::from_millis(1);
    assert_eq!(run_until(&service, just_before).await, 0);
    assert_eq!(state(), BreakerState::Closed);
    sleep_until(at(60)).await;
    assert_eq!(state(), BreakerState::Open, "three windows, 15 to 60 s");
    // Open for two windows: nothing passes.
    assert_eq!(
        run_until(&service, at(90) - Duration::from_millis(1)).await,
        300
    );
    assert_eq!(state(), BreakerState::Open);
    sleep_until(at(90)).await;
    assert_eq!(state(), BreakerState::HalfOpen);
    // Twenty probes of 150 pass, and are still slow.
    assert_eq!(
        run_until(&service, at(105) - Duration::from_millis(1)).await,
        130
    );
    sleep_until(at(105)).await;
    assert_eq!(state(), BreakerState::Open);
    sleep_until(at(135)).await;
    assert_eq!(state(), BreakerState::HalfOpen);
    // Now they are well.
    latency.store(14, Relaxed);
    assert_eq!(
        run_until(&service, at(150) - Duration::from_millis(1)).await,
        130
    );
    assert_eq!(state(), BreakerState::HalfOpen);
    sleep_until(at(150)).await;
    assert_eq!(state(), BreakerState::Closed);
    assert_eq!(run_until(&service, at(165)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_route_without_a_baseline_learns_one() {
    let breaker = Breaker::builder().build();
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    let latency = Arc::new(AtomicU64::new(10));
    let service = breaker.layer("/x").layer(service(&latency));
    run_until(&service, at(60)).await;
    let learned = breaker.snapshot().routes[0].baseline.unwrap();
    assert!(
        (Duration::from_millis(10)..Duration::from_millis(12)).contains(&learned),
        "{learned:?}"
    );
    let observed = breaker.observed();
    assert_eq!(observed.get("/x").unwrap().samples, 4 * 150);
    latency.store(40, Relaxed);
    run_until(&service, at(105)).await;
    assert_eq!(breaker.state("/x"), BreakerState::Open);
    // What was slow is not part of what is normal.
    let still = breaker.observed().get("/x").unwrap().p99_us;
    assert!(still < 12_000.0, "{still}");
}

/// Opens the breaker of `/x`.
async fn opened(builder: tower_flowctl::breaker::BreakerBuilder) -> (Breaker, Arc<AtomicU64>) {
    let breaker = builder.baselines(baselines()).build();
    let latency = Arc::new(AtomicU64::new(100));
    let service = breaker.layer("/x").layer(service(&latency));
    run_until(&service, Instant::now() + Duration::from_secs(45)).await;
    assert_eq!(breaker.state("/x"), BreakerState::Open);
    (breaker, latency)
}

#[tokio::test(start_paused = true)]
async fn what_is_urgent_passes_and_the_rest_gets_the_fallback() {
    let (breaker, latency) = opened(Breaker::builder()).await;
    let fallback = service_fn(|_| async { Ok(Response::new("stale".to_owned())) });
    let layer = breaker
        .layer("/x")
        .shed(Shed::FromUrgency(3))
        .fallback(fallback);
    let service = layer.layer(service(&latency));
    for (priority, expected) in [
        ("u=0", "real"),
        ("u=2, i", "real"),
        ("u=3", "stale"),
        ("i", "stale"),
    ] {
        let request = Request::builder()
            .header("priority", priority)
            .body(())
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.body(), expected, "{priority}");
    }
    assert!(breaker.snapshot().routes[0].degraded >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_route_is_independent_of_another() {
    let (breaker, latency) = opened(Breaker::builder()).await;
    let other = breaker.layer("/y").layer(service(&latency));
    let response = other.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_long_queue_degrades_all_routes_until_it_is_shorter() {
    let length = Arc::new(AtomicUsize::new(51));
    let gauge = Arc::clone(&length);
    let trigger = Trigger::queue(move || gauge.load(Relaxed));
    let breaker = Breaker::builder().trigger(trigger).build();
    let latency = Arc::new(AtomicU64::new(10));
    let service = breaker.layer("/x").layer(service(&latency));
    let status = async || {
        service
            .clone()
            .oneshot(Request::new(()))
            .await
            .unwrap()
            .status()
    };
    assert_eq!(status().await, StatusCode::OK, "it has only begun");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(breaker.snapshot().overloaded);
    length.store(10, Relaxed);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(status().await, StatusCode::OK);
}

#[cfg(feature = "axum")]
#[tokio::test(start_paused = true)]
async fn routes_are_told_apart_by_axums_matched_path() {
    use axum::{Router, body::Body, routing::get};
    let breaker = Breaker::builder().build();
    let app: Router = Router::new()
        .route("/books/{id}", get(|| async { "book" }))
        .route("/authors", get(|| async { "authors" }))
        .route_layer(breaker.layer_by_matched_path());
    for path in ["/books/1", "/books/2", "/authors", "/nowhere"] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    let routes = breaker.snapshot().routes;
    let counts: Vec<_> = routes
        .iter()
        .map(|route| (route.route.as_str(), route.passed))
        .collect();
    assert_eq!(counts, [("/authors", 1), ("/books/{id}", 2)]);
}

#[tokio::test(start_paused = true)]
async fn routes_are_told_apart_by_what_a_router_left_in_the_extensions() {
    #[derive(Clone)]
    struct Pattern(&'static str);
    let breaker = Breaker::builder().build();
    // One service for all, so that the first request's route is not that of the rest.
    let service = breaker
        .layer_by(|extensions| Some(extensions.get::<Pattern>()?.0))
        .layer(service(&Arc::new(AtomicU64::new(1))));
    for pattern in [
        Some("/a"),
        Some("/b"),
        None,
        Some("/a"),
        Some("/b"),
        Some("/b"),
    ] {
        let mut request = Request::new(());
        if let Some(pattern) = pattern {
            request.extensions_mut().insert(Pattern(pattern));
        }
        service.clone().oneshot(request).await.unwrap();
    }
    let routes = breaker.snapshot().routes;
    let counts: Vec<_> = routes
        .iter()
        .map(|route| (route.route.as_str(), route.passed))
        .collect();
    assert_eq!(counts, [("/a", 2), ("/b", 3)]);
}

/// Of a hundred clients 97 break off at once, and those that stay wait for 26 ms against 2.5 × 10: the route is slow, and that
/// most did not wait for it does not make it fast.
#[tokio::test(start_paused = true)]
async fn clients_that_break_off_at_once_do_not_make_a_route_fast() {
    let breaker = Breaker::builder().baselines(baselines()).build();
    let service = breaker
        .layer("/x")
        .layer(service(&Arc::new(AtomicU64::new(26))));
    let begun = Instant::now();
    let end = begun + Duration::from_secs(46);
    while Instant::now() < end {
        for _ in 0..97 {
            let mut service = service.clone();
            drop(service.ready().await.unwrap().call(Request::new(())));
        }
        for _ in 0..3 {
            service.clone().oneshot(Request::new(())).await.unwrap();
        }
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(breaker.state("/x"), BreakerState::Open);
}

/// Nobody waits for an answer that takes a minute, but 50 ms of waiting are enough to know that it is slow.
#[tokio::test(start_paused = true)]
async fn clients_that_give_up_late_count() {
    let breaker = Breaker::builder().baselines(baselines()).build();
    let service = breaker
        .layer("/x")
        .layer(service(&Arc::new(AtomicU64::new(60_000))));
    let end = Instant::now() + Duration::from_secs(46);
    while Instant::now() < end {
        let wait = Duration::from_millis(50);
        let _ = tokio::time::timeout(wait, service.clone().oneshot(Request::new(()))).await;
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(breaker.state("/x"), BreakerState::Open);
}

/// Ten requests from before the breaker opened end among the probes, of which they would be a third.
#[tokio::test(start_paused = true)]
async fn requests_from_before_are_no_probes() {
    let breaker = Breaker::builder().baselines(baselines()).build();
    let begun = Instant::now();
    let at = |seconds: u64| begun + Duration::from_secs(seconds);
    let latency = Arc::new(AtomicU64::new(10));
    let service = breaker.layer("/x").layer(service(&latency));
    run_until(&service, at(15)).await;
    latency.store(26, Relaxed);
    run_until(&service, at(50)).await;
    latency.store(45_000, Relaxed);
    run_until(&service, at(51)).await;
    latency.store(26, Relaxed);
    run_until(&service, at(60) - Duration::from_millis(1)).await;
    sleep_until(at(60)).await;
    assert_eq!(breaker.state("/x"), BreakerState::Open);
    sleep_until(at(90)).await;
    assert_eq!(breaker.state("/x"), BreakerState::HalfOpen);
    latency.store(10, Relaxed);
    let just_before = at(105) - Duration::from_millis(1);
    assert_eq!(run_until(&service, just_before).await, 130);
    sleep_until(at(105)).await;
    assert_eq!(breaker.state("/x"), BreakerState::Closed);
}

/// Five minutes at 2.4 times what was learned are not slow, and not the new normal state either.
#[tokio::test(start_paused = true)]
async fn a_decline_that_is_not_slow_is_not_learned() {
    let breaker = Breaker::builder().build();
    let begun = Instant::now();
    let window = Duration::from_secs(15);
    let latency = Arc::new(AtomicU64::new(10));
    let service = breaker.layer("/x").layer(service(&latency));
    run_until(&service, begun + 5 * window).await;
    latency.store(24, Relaxed);
    run_until(&service, begun + 25 * window).await;
    assert_eq!(breaker.state("/x"), BreakerState::Closed);
    latency.store(30, Relaxed);
    run_until(&service, begun + 29 * window).await;
    assert_eq!(breaker.state("/x"), BreakerState::Open);
}
