//! What a request and a read cost.

use std::{
    convert::Infallible,
    future::{Ready, ready as ready_now},
    hint::black_box,
    pin::{Pin, pin},
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};

use axum::{Router, body::Body, extract::Request, response::Response, routing::get};
use http_body::Body as _;
use serde_json::json;
use tower_hotswap::{Canary, Handle, HotConfig, HotSwap, Version};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    cachegrind::{self, Depth},
    hot::HotPath,
    report::{Better, Report, Table, number},
    rounds::Series,
    stats::Interval,
    suite::Options,
    timing,
};

/// Instructions that a request through `HotSwap` is to take at most beyond the bare router's.
const GOAL: f64 = 200.0;
const REQUESTS: usize = 100;
const ROUTER: &str = "Router";

fn version(number: u64) -> Version {
    Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes())
}

fn routes() -> Router {
    (0..31).fold(Router::new(), |app, number| {
        app.route(
            &format!("/route/{number}"),
            get(|| async { "Hello, World!" }),
        )
    })
}

/// Does nothing: what is left is the swapping.
#[derive(Clone)]
struct Nothing;

impl<S> Layer<S> for Nothing {
    type Service = S;

    fn layer(&self, inner: S) -> S {
        inner
    }
}

/// Answers at once. Like a Router it is one counted pointer.
#[derive(Clone, Default)]
struct Answering(Arc<()>);

impl Service<http::Request<()>> for Answering {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        black_box(&self.0);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<()>) -> Self::Future {
        ready_now(Ok(http::Response::new(Body::empty())))
    }
}

pub(super) fn hot_paths() -> Vec<HotPath> {
    vec![
        path(ROUTER, routes),
        path("HotSwap", || HotSwap::new(routes(), version(0)).0),
        path("HotSwap, 5 % canary", || {
            let handle = Handle::builder(routes(), version(0)).build();
            let canary = handle
                .swap(routes(), version(1))
                .map(|new| new.replaced().id);
            let rule = Canary::percent(5.0);
            let started = canary.and_then(|id| handle.canary(id, rule?));
            assert!(started.is_ok(), "{started:?}");
            handle.service()
        }),
        path("HotLayer around the Router", || {
            let handle = Handle::builder(Nothing, version(0)).build();
            handle.layer().layer(routes())
        }),
        path("HotSwap as axum::serve has it", || {
            HotSwap::new(routes(), version(0)).0.into_axum()
        }),
    ]
}

fn path<S, B>(name: &str, build: impl Fn() -> S + 'static) -> HotPath
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone + 'static,
    B: http_body::Body,
{
    HotPath::new(name, REQUESTS, move || {
        let service = build();
        Box::new(move || {
            for _ in 0..REQUESTS {
                request(&service);
            }
        })
    })
}

/// One request as hyper makes it: every future and every frame is ready at once.
fn request<S, B>(service: &S)
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body,
{
    let mut context = Context::from_waker(Waker::noop());
    let mut service = service.clone();
    assert!(service.poll_ready(&mut context).is_ready());
    let request = Request::get("/route/17").body(Body::empty());
    let mut future = pin!(service.call(request.expect("a good request")));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
        panic!("the response was not ready at once");
    };
    let mut body = pin!(response.into_body());
    while let Poll::Ready(Some(frame)) = Pin::as_mut(&mut body).poll_frame(&mut context) {
        black_box(frame.is_ok());
    }
    assert!(body.is_end_stream(), "the body has ended");
}

/// The instructions of each, and how far they are from the goal.
pub(super) fn requests(report: &mut Report) -> Result<(), String> {
    let paths = hot_paths();
    let probes: Vec<_> = paths.iter().map(|path| path.probe("hotswap")).collect();
    let counts = cachegrind::run_all(&probes, Depth::Instructions)?;
    let bare = counts[0].instructions;
    let mut table = Table::new(
        "a request through a Router of 31 routes",
        &[
            "service",
            "instructions",
            "beyond the Router",
            "allocations",
        ],
    );
    for (path, count) in paths.iter().zip(&counts) {
        let (allocations, _) = path.memory();
        table.row(vec![
            path.name.clone(),
            number(count.instructions),
            number(count.instructions - bare),
            number(allocations),
        ]);
        report.rows(&[json!({
            "case": "request", "service": path.name,
            "instructions": count.instructions, "allocations": allocations,
        })])?;
    }
    report.table(table);
    let beyond = counts[1].instructions - bare;
    report.figure(
        "HotSwap: instructions of a request beyond the Router's",
        Interval::exact(beyond),
        "instructions",
        Better::Lower,
    );
    report.note(format!(
        "A request through HotSwap takes {beyond:.0} instructions more than through the bare Router; the goal of {GOAL:.0} is {}.",
        if beyond > GOAL { "not met" } else { "met" }
    ));
    Ok(())
}

/// A way to look up what is current, for one thread.
type Read = Box<dyn FnMut() + Send>;

/// Makes the same way for two threads.
type Way = fn() -> [Read; 2];

const READS: usize = 200_000;
const ALONE: &str = "one thread";
const TOGETHER: &str = "two threads";

/// Looking up what is current, on one thread and on two at once.
pub(super) fn reads(options: &Options, report: &mut Report) -> Result<(), String> {
    let ways: [(&str, Way); 7] = [
        ("a value that never changes", || {
            let value = Arc::new(7_u64);
            two(move || {
                let value = value.clone();
                Box::new(move || _ = black_box(**black_box(&value)))
            })
        }),
        ("ConfigReader::read", || {
            let config = HotConfig::new(7_u64, version(0));
            two(move || {
                let mut reader = config.reader();
                Box::new(move || _ = black_box(*black_box(&mut reader).read().value()))
            })
        }),
        ("HotSwap::poll_ready, used again", || {
            let (app, _) = HotSwap::new(routes(), version(0));
            two(move || {
                let mut app = app.clone();
                Box::new(move || ready(black_box(&mut app)))
            })
        }),
        ("a service cloned, made ready and called", || {
            let app = Answering::default();
            two(move || {
                let app = app.clone();
                Box::new(move || answered(black_box(&app)))
            })
        }),
        ("the same in a HotSwap", || {
            let (app, handle) = HotSwap::new(Answering::default(), version(0));
            two(move || {
                let (app, handle) = (app.clone(), handle.clone());
                Box::new(move || {
                    answered(black_box(&app));
                    black_box(&handle);
                })
            })
        }),
        ("HotConfig::current", || {
            let config = HotConfig::new(7_u64, version(0));
            two(move || {
                let config = config.clone();
                Box::new(move || _ = black_box(*black_box(&config).current().value()))
            })
        }),
        ("RwLock<Arc>, cloned", || {
            let value = Arc::new(RwLock::new(Arc::new(7_u64)));
            two(move || {
                let value = value.clone();
                Box::new(move || {
                    let current = value.read().map(|value| Arc::clone(&value));
                    black_box(current.is_ok());
                })
            })
        }),
    ];
    let rounds = options.pick(5, 25);
    let mut all: Vec<Series> = Vec::new();
    for (name, _) in &ways {
        all.push(Series {
            name: (*name).to_owned(),
            ..Series::default()
        });
    }
    for _ in 0..rounds {
        for ((_, way), series) in ways.iter().zip(&mut all) {
            let [mut one, other] = way();
            series.keep(ALONE, time(&mut one));
            series.keep(TOGETHER, beside(other, || time(&mut one)));
        }
    }
    let title = "looking up what is current, nanoseconds of the thread's CPU time";
    let mut table = Table::new(title, &["way", ALONE, TOGETHER]);
    for series in &all {
        table.row(vec![
            series.name.clone(),
            number(series.median(ALONE)),
            number(series.median(TOGETHER)),
        ]);
    }
    report.table(table);
    report.series(title, &all)?;
    if let [never, read, ..] = all.as_slice() {
        let ratio = read.ratio(never, TOGETHER);
        let name = format!(
            "{}: time on two threads, of a value's that never changes",
            read.name
        );
        report.figure(name, ratio, "x", Better::Lower);
    }
    Ok(())
}

fn ready<S: Service<Request, Error = Infallible>>(service: &mut S) {
    let mut context = Context::from_waker(Waker::noop());
    black_box(service.poll_ready(&mut context).is_ready());
}

/// What hyper does for each request.
fn answered<S: Service<http::Request<()>, Error = Infallible> + Clone>(service: &S) {
    let mut service = service.clone();
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    let mut future = pin!(service.call(http::Request::new(())));
    drop(service);
    black_box(future.as_mut().poll(&mut context).is_ready());
}

fn two(make: impl Fn() -> Read) -> [Read; 2] {
    [make(), make()]
}

fn time(read: &mut Read) -> f64 {
    let begin = timing::now();
    for _ in 0..READS {
        read();
    }
    (timing::now() - begin).as_nanos() as f64 / READS as f64
}

/// Runs `work` while another thread reads.
fn beside<R>(mut read: Read, work: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                read();
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        // The scope alone does not wait for what a thread does at its end: it gives its number back.
        assert!(other.join().is_ok(), "the other thread panicked");
        result
    })
}
