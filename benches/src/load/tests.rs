//! The generator against small servers, right and wrong.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header::CONNECTION},
    routing::{get, post},
};
use tokio::{net::TcpListener, runtime, sync::oneshot};

use super::{Ask, Options, Pace, Plan, Protocol, Span, run, run_command};

static GROWN: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

fn app() -> Router {
    async fn growing() -> String {
        "x".repeat(GROWN.fetch_add(1, Relaxed))
    }
    async fn failing() -> StatusCode {
        if FAILED.fetch_add(1, Relaxed).is_multiple_of(2) {
            StatusCode::OK
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/page", get(|| async { "a longer page" }))
        .route("/large", get(|| async { vec![b'x'; 3 << 20] }))
        .route("/echo", post(|body: Bytes| async { body }))
        .route(
            "/closing",
            get(|| async { ([(CONNECTION, "close")], "bye") }),
        )
        .route("/growing", get(growing))
        .route("/failing", get(failing))
}

/// Serves on a port of its own until the sender is dropped.
fn serve(app: Router) -> (SocketAddr, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            tokio::select! {
                served = async { axum::serve(listener, app).await } => served.unwrap(),
                _ = stopped => {}
            }
        });
    });
    (told.recv().unwrap(), stop)
}

fn options(address: SocketAddr, paths: &[&str]) -> Options {
    Options {
        url: format!("http://{address}/"),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        requests: 300,
        seconds: None,
        connections: 4,
        in_flight: 1,
        h2: false,
        rate: None,
        threads: 1,
        warm_up: 0.0,
        any_length: false,
        pid: None,
        growth_mib: 16,
    }
}

#[test]
fn right_answers_pass_and_wrong_ones_are_named() {
    let (address, _stop) = serve(app());
    let cases: &[(&[&str], Result<(), &str>)] = &[
        (&[], Ok(())),
        (&["/", "/page", "404:/nowhere"], Ok(())),
        (&["/closing", "/"], Ok(())),
        (&["/nowhere"], Err("right is 200")),
        (&["/growing"], Err("errors, 0 of 300")),
        (&["/failing"], Err("errors")),
    ];
    for (paths, want) in cases {
        match (run_command(&options(address, paths)), want) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(text)) => assert!(error.contains(text), "{paths:?}: {error}"),
            (got, want) => panic!("{paths:?}: {got:?}, wanted {want:?}"),
        }
    }
}

#[test]
fn memory_of_a_process_is_read_and_a_missing_one_is_an_error() {
    let (address, _stop) = serve(app());
    let mut options = options(address, &[]);
    options.pid = Some(std::process::id());
    assert_eq!(run_command(&options), Ok(()));
    options.pid = Some(u32::MAX);
    assert!(run_command(&options).is_err());
}

#[test]
fn both_protocols_at_every_depth_answer_all_and_check_lengths() {
    let (address, _stop) = serve(app());
    let body = vec![b'x'; 200_000];
    let asks = vec![
        Ask::get("/").length(5),
        Ask::post("/echo", body.clone()).length(body.len() as u64),
        Ask::get("/large").length(3 << 20),
        Ask::get("/nowhere").status(404),
        Ask {
            method: "HEAD".into(),
            ..Ask::get("/page")
        },
    ];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (connections, in_flight, threads) in [(1, 1, 1), (3, 5, 1), (4, 2, 2)] {
            let case = format!("{protocol:?}, {connections} by {in_flight}");
            let outcome = run(&Plan {
                protocol,
                connections,
                in_flight,
                threads,
                span: Span::Requests(60),
                ..Plan::new(address, asks.clone())
            });
            let outcome = outcome.and_then(super::Outcome::checked);
            let outcome = outcome.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(outcome.answered, 60, "{case}");
            assert_eq!(outcome.latency.len(), 60, "{case}");
            let by_ask: u64 = outcome.by_ask.iter().map(|seen| seen.len()).sum();
            assert_eq!(by_ask, 60, "{case}");
        }
    }
}

#[test]
fn a_wrong_length_is_an_error() {
    let (address, _stop) = serve(app());
    let outcome = run(&Plan {
        span: Span::Requests(10),
        ..Plan::new(address, vec![Ask::get("/").length(6)])
    })
    .unwrap();
    assert_eq!((outcome.answered, outcome.error_count()), (0, 10));
    let error = outcome.checked().unwrap_err();
    assert!(error.contains("5 bytes, right are 6"), "{error}");
}

#[test]
fn who_is_turned_away_is_counted_and_the_load_goes_on() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    async fn full() -> (StatusCode, &'static str) {
        match ASKED.fetch_add(1, Relaxed) % 10 {
            0 => (StatusCode::OK, "hello"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "full"),
        }
    }
    let (address, _stop) = serve(Router::new().route("/", get(full)));
    let outcome = run(&Plan {
        span: Span::Requests(3_000),
        ..Plan::new(address, vec![Ask::get("/").length(5).or_refused(503)])
    });
    let outcome = outcome.and_then(super::Outcome::checked).unwrap();
    assert_eq!((outcome.answered, outcome.refused), (300, 2_700));
    assert_eq!(outcome.latency.len(), 300);
}

/// A server that does nothing for a moment, once: of a closed loop with one connection a single request meets the
/// stall, of requests that come when they are due all those due in that time do.
#[test]
fn a_stall_is_met_by_what_was_due_in_it_and_hidden_by_a_closed_loop() {
    const STALL: Duration = Duration::from_millis(400);
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    async fn stalling() -> &'static str {
        if ASKED.fetch_add(1, Relaxed) == 100 {
            // The thread, not the task: the whole server stands still.
            thread::sleep(STALL);
        }
        "hello"
    }
    let mut shares = Vec::new();
    for pace in [
        Pace::Closed,
        Pace::Constant {
            per_second: 1_000.0,
        },
    ] {
        ASKED.store(0, Relaxed);
        let (address, _stop) = serve(Router::new().route("/", get(stalling)));
        let outcome = run(&Plan {
            pace,
            span: Span::Requests(1_000),
            ..Plan::new(address, vec![Ask::get("/")])
        });
        let outcome = outcome.and_then(super::Outcome::checked).unwrap();
        assert_eq!(outcome.answered, 1_000);
        let slow = |seen: &hdrhistogram::Histogram<u64>| {
            seen.count_between(STALL.as_nanos() as u64 / 4, u64::MAX)
        };
        shares.push((slow(&outcome.latency), slow(&outcome.service)));
    }
    let [(closed, _), (constant, of_sending)] = shares[..] else {
        panic!("two runs");
    };
    // Both loops lived through the same stall, and both measured the one request that stood in it.
    assert!(closed >= 1 && of_sending >= 1, "{shares:?}");
    // Due within the first three quarters of the stall, a request waits at least the last quarter: 300 of 1,000.
    assert!(constant >= 290, "{shares:?}");
    assert!(closed < constant / 10, "{shares:?}");
}

#[test]
fn a_constant_rate_is_kept() {
    let (address, _stop) = serve(app());
    let outcome = run(&Plan {
        connections: 3,
        pace: Pace::Constant { per_second: 300.0 },
        span: Span::Time(Duration::from_millis(500)),
        ..Plan::new(address, vec![Ask::get("/")])
    });
    // Three times fifty were due before the end.
    assert_eq!(outcome.unwrap().checked().unwrap().answered, 150);
}

#[test]
fn another_machine_is_refused() {
    let plan = Plan::new("192.0.2.1:80".parse().unwrap(), vec![Ask::get("/")]);
    assert!(run(&plan).unwrap_err().contains("not this machine"));
}

/// Connections that take turns came to half of the paths only, the same half all the time.
#[test]
fn at_a_constant_rate_everything_is_asked_for() {
    let (address, _stop) = serve(app());
    let asks = vec![Ask::get("/").length(5); 8];
    let outcome = run(&Plan {
        connections: 16,
        pace: Pace::Constant {
            per_second: 4_000.0,
        },
        span: Span::Requests(800),
        ..Plan::new(address, asks)
    });
    let outcome = outcome.and_then(super::Outcome::checked).unwrap();
    for (ask, seen) in outcome.by_ask.iter().enumerate() {
        assert!(!seen.is_empty(), "the {ask}th was never asked for");
    }
}
