//! Settings at the ends of their ranges and beyond: each is an error that names it, or has the meaning that its documentation
//! gives it. None panics, in whichever task, and none makes anybody wait for ever.
#![cfg(all(
    feature = "admission",
    feature = "axum",
    feature = "breaker",
    feature = "serve"
))]

mod support;

use std::{
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use support::Server;
use tokio::{net::TcpListener, time::timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_flowctl::{
    admission::{Admission, AtLimit, Class, Limits},
    breaker::{Baseline, Baselines, Breaker, BreakerBuilder, BreakerState, Trigger},
    descriptors::DescriptorGuard,
    http2::{Http2Config, Http2Limits, LowWaterMark, ReceiveBudget},
    limit::{AdaptiveLimitLayer, Gradient, Limiter, Queue},
    serve::Http2Tuning,
};

const MAX: Duration = Duration::MAX;
const NANOSECOND: Duration = Duration::from_nanos(1);

/// Longer than anything here takes, however busy the machine is.
const HANG: Duration = Duration::from_secs(60);

/// Two of those in which deadlines are looked at.
const TICKS: Duration = Duration::from_millis(200);

/// What has panicked in any thread of this program.
fn panics() -> &'static Mutex<Vec<String>> {
    static PANICS: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    PANICS.get_or_init(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            default(panic);
            let mut panics = PANICS.get_or_init(Default::default).lock().unwrap();
            panics.push(panic.to_string());
        }));
        Default::default()
    })
}

async fn ends<F: Future>(case: &str, future: F) -> F::Output {
    // From the first case on.
    let panics = panics();
    let output = timeout(HANG, future).await;
    let panics = panics.lock().unwrap();
    assert!(panics.is_empty(), "{case}, or another test: {panics:?}");
    output.unwrap_or_else(|_| panic!("{case} hangs"))
}

fn gradient(set: impl FnOnce(&mut Gradient)) -> Gradient {
    let mut gradient = Gradient::default();
    set(&mut gradient);
    gradient
}

#[tokio::test(start_paused = true)]
async fn of_a_limiter() {
    let queue = Queue::default;
    let cases: Vec<(&str, Gradient, Queue)> = vec![
        ("no limit at all", Gradient::fixed(0), queue()),
        ("the greatest limit", Gradient::fixed(u32::MAX), queue()),
        (
            "limits out of order",
            Gradient::default().limits(u32::MAX, 9, 2),
            queue(),
        ),
        ("no tolerance", gradient(|all| all.tolerance = 0.0), queue()),
        (
            "tolerance below nothing",
            gradient(|all| all.tolerance = f64::NEG_INFINITY),
            queue(),
        ),
        (
            "endless tolerance",
            gradient(|all| all.tolerance = f64::INFINITY),
            queue(),
        ),
        (
            "tolerance that is no number",
            gradient(|all| all.tolerance = f64::NAN),
            queue(),
        ),
        ("no smoothing", gradient(|all| all.smoothing = 0.0), queue()),
        (
            "endless smoothing",
            gradient(|all| all.smoothing = f64::INFINITY),
            queue(),
        ),
        (
            "smoothing below nothing",
            gradient(|all| all.smoothing = -1.0),
            queue(),
        ),
        (
            "smoothing that is no number",
            gradient(|all| all.smoothing = f64::NAN),
            queue(),
        ),
        (
            "endless room",
            gradient(|all| all.room = f64::INFINITY),
            queue(),
        ),
        (
            "room below nothing",
            gradient(|all| all.room = f64::NEG_INFINITY),
            queue(),
        ),
        (
            "room that is no number",
            gradient(|all| all.room = f64::NAN),
            queue(),
        ),
        (
            "a base that is always measured",
            gradient(|all| all.measure_every = 0),
            queue(),
        ),
        (
            "a base that is never measured",
            gradient(|all| all.measure_every = u32::MAX),
            queue(),
        ),
        (
            "waiting for ever",
            Gradient::fixed(1),
            queue().delays(MAX, MAX),
        ),
        (
            "no waiting",
            Gradient::fixed(1),
            queue().delays(Duration::ZERO, Duration::ZERO),
        ),
        (
            "a target beyond the interval",
            Gradient::fixed(1),
            queue().delays(MAX, NANOSECOND),
        ),
        ("endless patience", Gradient::fixed(1), Queue::within(MAX)),
        (
            "no patience",
            Gradient::fixed(1),
            Queue::within(Duration::ZERO),
        ),
        (
            "an endless queue",
            Gradient::fixed(1),
            queue().length(usize::MAX),
        ),
        ("no queue", Gradient::fixed(1), queue().length(0)),
    ];
    for (case, gradient, queue) in cases {
        let limiter = Limiter::new(gradient, queue);
        let service = service_fn(|_: Request<()>| async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let service = AdaptiveLimitLayer::new(limiter.clone()).layer(service);
        let mut answered = 0;
        // Five clients for some three seconds, which are thirty windows.
        for _ in 0..300 {
            let round = (0..5).map(|_| service.clone().oneshot(Request::new(())));
            let round = ends(case, futures_util::future::join_all(round)).await;
            let statuses = round.into_iter().map(|response| response.unwrap().status());
            answered += statuses.filter(|status| *status == StatusCode::OK).count();
        }
        assert!(answered >= 300, "{case}: {answered}");
        let snapshot = limiter.snapshot();
        assert!(snapshot.limit >= 1, "{case}: {snapshot:?}");
        assert_eq!((snapshot.in_flight, snapshot.queue), (0, 0), "{case}");
    }
}

/// Healthy for ten minutes, slow for ten, healthy for an hour: at its end a breaker is closed, whatever it was in between.
#[tokio::test(start_paused = true)]
async fn of_a_breaker() {
    let ten = Duration::from_millis(10);
    let baseline = |micros: f64| {
        let mut baseline = Baseline::new(ten, ten, ten, 1000);
        baseline.p95_us = micros;
        Baselines::new().with("/x", baseline)
    };
    let builder = || {
        Breaker::builder()
            .baselines(baseline(10_000.0))
            .least_samples(10)
    };
    let trigger = |above: f64, hold, value: f64| {
        builder().trigger(Trigger::new("x", above, hold, move || Some(value)))
    };
    let (nan, infinite) = (f64::NAN, f64::INFINITY);
    let cases: Vec<(&str, BreakerBuilder)> = vec![
        ("no window", builder().window(Duration::ZERO)),
        ("the shortest window", builder().window(NANOSECOND)),
        ("an endless window", builder().window(MAX)),
        (
            "open for ever, in tiny windows",
            builder()
                .window(NANOSECOND)
                .open_for(u32::MAX)
                .least_samples(1),
        ),
        ("no windows to open", builder().trip_after(0)),
        ("endless windows to open", builder().trip_after(u32::MAX)),
        ("not open at all", builder().open_for(0)),
        ("no samples needed", builder().least_samples(0)),
        ("endless samples needed", builder().least_samples(u64::MAX)),
        ("a factor of nothing", builder().slow(0.0, Duration::ZERO)),
        (
            "a negative factor",
            builder().slow(-infinite, Duration::ZERO),
        ),
        ("an endless factor", builder().slow(infinite, MAX)),
        ("a factor that is no number", builder().slow(nan, ten)),
        ("no probes", builder().probes(0, 5, 1.5)),
        (
            "fewer probes than are needed",
            builder().probes(3, u64::MAX, 1.5),
        ),
        ("endless probes", builder().probes(u32::MAX, 0, 1.5)),
        ("recovery by no number", builder().probes(20, 5, nan)),
        (
            "recovery by an endless factor",
            builder().probes(20, 5, infinite),
        ),
        ("a baseline of nothing", builder().baselines(baseline(0.0))),
        ("a negative baseline", builder().baselines(baseline(-1.0))),
        (
            "an endless baseline",
            builder().baselines(baseline(infinite)),
        ),
        (
            "a baseline that is no number",
            builder().baselines(baseline(nan)),
        ),
        (
            "the longest baseline",
            builder()
                .baselines(Baselines::new().with("/x", Baseline::new(MAX, MAX, MAX, u64::MAX))),
        ),
        ("a trigger held for ever", trigger(0.0, MAX, 1.0)),
        (
            "a trigger above no number",
            trigger(nan, Duration::ZERO, 1.0),
        ),
        (
            "a trigger whose number is none",
            trigger(0.0, Duration::ZERO, nan),
        ),
        (
            "a trigger above everything",
            trigger(infinite, Duration::ZERO, infinite),
        ),
    ];
    // With these whatever is over the baseline is slow, and what is within 1.5 times of it closes them again: they go to and fro.
    let restless = ["a factor of nothing", "a negative factor"];
    // Nothing is within so many times nothing, and these take a window of ten seconds for slow.
    let stays = ["a baseline of nothing", "open for ever, in tiny windows"];
    for (case, builder) in cases {
        let breaker = builder.build();
        let latency = Arc::new(Mutex::new(ten));
        let takes = Arc::clone(&latency);
        let service = service_fn(move |_: Request<()>| {
            let latency = *takes.lock().unwrap();
            async move {
                tokio::time::sleep(latency).await;
                Ok::<_, Infallible>(Response::new(String::new()))
            }
        });
        let service = breaker.layer("/x").layer(service);
        for (takes, seconds) in [(10, 600), (2_000, 600), (10, 3_600)] {
            *latency.lock().unwrap() = Duration::from_millis(takes);
            for _ in 0..seconds {
                let answer = service.clone().oneshot(Request::new(()));
                let status = ends(case, answer).await.unwrap().status();
                let is_known = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
                assert!(is_known, "{case}: {status}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        // A day without requests is many windows.
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.routes.len(), 1, "{case}");
        let _ = (breaker.observed(), breaker.state("/x"));
        if !restless.contains(&case) && !stays.contains(&case) {
            assert_eq!(breaker.state("/x"), BreakerState::Closed, "{case}");
        }
    }
}

#[test]
fn of_limits_that_would_refuse_everything() {
    type Set = fn(Limits) -> Limits;
    let cases: [(&str, Set); 11] = [
        ("total", |limits| limits.total(0)),
        ("per_address", |limits| limits.per_address(0)),
        ("per_prefix", |limits| limits.per_prefix(0)),
        ("accept_rate", |limits| limits.accept_rate(0, 1)),
        ("accept_burst", |limits| limits.accept_rate(1, 0)),
        ("handshake", |limits| limits.handshake(Duration::ZERO)),
        ("header", |limits| limits.header(Duration::ZERO)),
        ("idle", |limits| limits.idle(Duration::ZERO)),
        ("grace", |limits| limits.rate(1, Duration::ZERO)),
        ("close_grace", |limits| limits.close_grace(Duration::ZERO)),
        ("unsent", |limits| limits.unsent(0)),
    ];
    for (name, set) in cases {
        let built = Admission::builder().limits(set(Limits::new())).build();
        let error = std::error::Error::source(&built.unwrap_err())
            .unwrap()
            .to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    for part in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1.1] {
        for guard in [
            DescriptorGuard::new().low(part),
            DescriptorGuard::new().high(part),
            DescriptorGuard::new().critical(part),
        ] {
            let built = Admission::builder().descriptors(guard).build();
            assert!(built.is_err(), "{part}");
        }
    }
}

#[tokio::test]
async fn of_admission() {
    let guard = DescriptorGuard::new;
    let public = || Class::new("default");
    let longest = Limits::new()
        .total(u32::MAX)
        .per_address(u32::MAX)
        .per_prefix(u32::MAX)
        .accept_rate(u32::MAX, u32::MAX)
        .handshake(MAX)
        .header(MAX)
        .idle(MAX)
        .rate(u32::MAX, MAX)
        .unsent(u32::MAX)
        .close_grace(MAX)
        .linger(MAX)
        .reclaim_after(MAX);
    let shortest = Limits::new()
        .accept_rate(1, 1)
        .unsent(1)
        .linger(Duration::ZERO)
        .reclaim_after(Duration::ZERO);
    // (case, limits, guard, class, status)
    let cases = [
        ("all that is most", longest, guard(), public(), 200),
        ("all that is least", shortest, guard(), public(), 200),
        (
            "the longest guard",
            Limits::new(),
            guard().debounce(MAX).leak_window(MAX),
            public(),
            200,
        ),
        (
            "the shortest guard",
            Limits::new(),
            guard().debounce(Duration::ZERO).leak_window(Duration::ZERO),
            public(),
            200,
        ),
        (
            "endless spares and places",
            Limits::new(),
            guard().spares(u32::MAX).places(u32::MAX),
            public(),
            200,
        ),
        (
            "no spares and places",
            Limits::new(),
            guard().spares(0).places(0),
            public(),
            200,
        ),
        (
            "endless headroom",
            Limits::new(),
            guard().headroom(u32::MAX),
            public(),
            503,
        ),
        (
            "endless headroom beside a reserve",
            Limits::new(),
            guard().headroom(u32::MAX),
            public().reserve(1),
            200,
        ),
        (
            "no places in the class",
            Limits::new(),
            guard(),
            public().limit(0),
            503,
        ),
        (
            "endless reserve",
            Limits::new(),
            guard(),
            public().reserve(u32::MAX),
            200,
        ),
    ];
    for (case, limits, guard, class, expected) in cases {
        let limits = limits.at_limit(AtLimit::Unavailable);
        let admission = Admission::builder()
            .limits(limits)
            .descriptors(guard)
            .class(class)
            .class(Class::new("a"))
            .build()
            .unwrap();
        let app = Router::new().route("/", axum::routing::get(|| async { "hello" }));
        let server = Server::start(admission, app).await;
        ends(case, async {
            let mut client = server.connect().await;
            assert_eq!(client.get("/").await.status, expected, "{case}");
            assert_eq!(server.admission.reclaim(usize::MAX, MAX).await, 0, "{case}");
            // Beyond a tick, so that the deadlines were looked at.
            if let Some(connection) = server.admission.connections().pop() {
                server.until(|_| connection.age() >= TICKS).await;
            }
            let report = server.admission.drain(MAX).await;
            assert_eq!(report.cut.len(), 0, "{case}");
        })
        .await;
    }
}

/// Two classes that want all descriptors leave nobody else any.
#[tokio::test]
async fn of_reserves() {
    let admission = Admission::builder()
        .class(Class::new("a").reserve(u32::MAX))
        .class(Class::new("b").reserve(u32::MAX))
        .build()
        .unwrap();
    let app = Router::new().route("/", axum::routing::get(|| async { "hello" }));
    let server = Server::start(admission, app).await;
    let status = ends("reserves", async {
        server.connect().await.get("/").await.status
    });
    assert_eq!(status.await, 503);
}

fn tuning(set: impl FnOnce(&mut Http2Tuning)) -> Http2Tuning {
    let mut tuning = Http2Tuning::default();
    set(&mut tuning);
    tuning
}

fn limits(set: impl FnOnce(&mut Http2Limits)) -> Http2Config {
    let mut limits = Http2Limits::default();
    set(&mut limits);
    Http2Config::default().limits(limits)
}

/// Over both protocols: an upload of 100 KB that comes back.
#[tokio::test]
async fn of_a_server() {
    let config = Http2Config::default;
    let all = |count: u32, stall: Duration| {
        limits(|all| {
            all.client_resets = count;
            all.server_resets = count;
            all.pings = count;
            all.settings = count;
            all.small_window_updates = count;
            all.priorities = count;
            all.small_data = count;
            all.stall = stall;
        })
    };
    let some = Http2Tuning::default;
    let cases: Vec<(&str, Http2Tuning, Http2Config)> = vec![
        (
            "windows of nothing",
            some().stream_window(0).connection_window(0),
            config(),
        ),
        (
            "the largest windows",
            some().stream_window(u32::MAX).connection_window(u32::MAX),
            config(),
        ),
        ("frames of nothing", some().max_frame_size(0), config()),
        (
            "the largest frames",
            some().max_frame_size(u32::MAX),
            config(),
        ),
        (
            "frames of nothing, set as a field",
            tuning(|all| all.max_frame_size = 0),
            config(),
        ),
        ("no streams", some().max_concurrent_streams(0), config()),
        (
            "endless streams",
            some().max_concurrent_streams(u32::MAX),
            config(),
        ),
        (
            "endless header lists",
            some().max_header_list_size(u32::MAX),
            config(),
        ),
        ("no send buffer", some().send_buffer(0), config()),
        (
            "an endless send buffer",
            some().send_buffer(usize::MAX),
            config(),
        ),
        (
            "no resets",
            tuning(|all| (all.max_pending_resets, all.max_local_error_resets) = (0, 0)),
            config(),
        ),
        (
            "endless resets",
            tuning(|all| {
                (all.max_pending_resets, all.max_local_error_resets) = (usize::MAX, usize::MAX)
            }),
            config(),
        ),
        (
            "a PING at once",
            some().keep_alive(Duration::ZERO, MAX),
            config(),
        ),
        ("never a PING", some().keep_alive(MAX, MAX), config()),
        ("endless floods", some(), all(u32::MAX, MAX)),
        (
            "no low-water mark",
            some(),
            config().low_water_mark(LowWaterMark::Fixed(0)),
        ),
        (
            "the highest low-water mark",
            some(),
            config().low_water_mark(LowWaterMark::Fixed(u32::MAX)),
        ),
    ];
    let budgets = [None, Some(0), Some(u64::MAX)];
    for (case, tuning, config) in cases {
        for (budget, header) in budgets.into_iter().zip([None, Some(MAX), Some(HANG)]) {
            let case = format!("{case}, with a budget of {budget:?}");
            for version in [Version::HTTP_11, Version::HTTP_2] {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let app = Router::new().route("/", post(|body: Body| async { body }));
                let mut server = tower_flowctl::serve(listener, app)
                    .tuning(tuning)
                    .http2(config.clone())
                    .header_timeout(header)
                    .drain_timeout(MAX);
                if let Some(bytes) = budget {
                    server = server.receive_budget(ReceiveBudget::new(bytes));
                }
                let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
                let server = tokio::spawn(server.run_until(stopped));
                let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new())
                    .http2_only(version == Version::HTTP_2)
                    .build_http();
                let sent = Bytes::from(vec![7; 100_000]);
                let request = Request::post(format!("http://{address}/"))
                    .body(Full::new(sent.clone()))
                    .unwrap();
                let body = ends(&case, async {
                    let response = client.request(request).await.unwrap();
                    assert_eq!(response.status(), StatusCode::OK, "{case} {version:?}");
                    response.into_body().collect().await.unwrap().to_bytes()
                });
                assert_eq!(body.await, sent, "{case} {version:?}");
                drop(client);
                stop.send(()).unwrap();
                ends(&case, server).await.unwrap();
            }
        }
    }
}
