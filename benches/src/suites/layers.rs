//! What each layer adds to a request: instructions and allocations, counted, and nothing timed.
//!
//! The same work for all: a GET request is made, handed to the service, polled until it is answered (at the first
//! poll) and its response dropped. `none` does that with a service that answers at once; every other row has one layer
//! around that service, and what it has more than `none` is the layer's own.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tower_flowctl::{
    breaker::Breaker,
    http2::PriorityLayer,
    limit::{AdaptiveLimitLayer, Gradient, Limiter, Queue},
};
use tower_hotswap::{HotConfig, HotLayer, HotSwap, Version};
use tower_layer::Layer;
use tower_pool::{
    BodyPool, Pool, PooledBody, PooledBodyLayer,
    context::{ContextLayer, Reset},
};
use tower_service::Service;
use tower_trie_router::{TrieRouter, TrieService};

use crate::{
    cachegrind,
    hot::{HotPath, Pass},
    plot::Plot,
    report::{Better, Report, Table, number},
    stats::Interval,
    suite::{Options, Suite},
};

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "layers",
    "What each layer adds to a request, in instructions and allocations",
    run,
)
.hot_paths(hot_paths);

const NONE: &str = "none";
/// What a request of the example server's API passes, one around another.
const TOGETHER: &str = "the five of an API request, together";
/// No layer, but what reads a configuration that may be swapped. The gate holds it.
const READS: &str = "tower-hotswap: ConfigReader, 100 reads";
/// Requests in a pass.
const REQUESTS: usize = 100;

#[derive(Debug, Serialize)]
struct Row {
    layer: String,
    instructions: f64,
    allocations: f64,
    added_instructions: f64,
    added_allocations: f64,
}

fn run(options: &Options) -> Result<(), String> {
    let mut paths = hot_paths()?;
    paths.retain(|path| path.name != READS);
    let probes: Vec<_> = paths.iter().map(|path| path.probe(SUITE.name)).collect();
    let profiles = cachegrind::profile_all(&probes)?;
    let costs: Vec<(String, f64, f64)> = paths
        .iter()
        .zip(profiles)
        .map(|(path, profile)| (path.name.clone(), profile.instructions, path.memory().0))
        .collect();
    let (bare, allocated) = costs
        .iter()
        .find(|(name, _, _)| name == NONE)
        .map_or((0.0, 0.0), |none| (none.1, none.2));
    let mut report = Report::new("layers");
    report.note("A request is made, handed over, answered at the first poll, and its response dropped. `more` is what a layer adds to the service alone (`none`).");
    let mut table = Table::new(
        "one layer around a service that answers at once",
        &["layer", "instructions", "more", "allocations", "more"],
    );
    let mut rows = Vec::new();
    for (layer, instructions, allocations) in costs {
        let row = Row {
            added_instructions: instructions - bare,
            added_allocations: allocations - allocated,
            layer,
            instructions,
            allocations,
        };
        table.row(vec![
            row.layer.clone(),
            number(row.instructions),
            number(row.added_instructions),
            number(row.allocations),
            number(row.added_allocations),
        ]);
        let added = Interval::exact(row.added_instructions);
        let name = format!("{}: instructions added", row.layer);
        report.figure(name, added, "instructions", Better::Lower);
        rows.push(row);
    }
    let bars = rows
        .iter()
        .filter(|row| row.layer != NONE)
        .map(|row| (row.layer.clone(), row.added_instructions));
    let plot = Plot::bars(
        "What a layer adds",
        "instructions a request",
        bars.collect(),
    );
    report.table(table).rows(&rows)?.plot("added", plot);
    report.finish(options)
}

fn hot_paths() -> Result<Vec<HotPath>, String> {
    let version = || Version::parse("1.0.0", b"content").map_err(|e| e.to_string());
    let config = HotConfig::new(0_u64, version()?);
    let reader = config.clone();
    let (swapped, layered, together) = (version()?, version()?, version()?);
    Ok(vec![
        path(NONE, || requests(Answer)),
        path("tower-hotswap: HotSwap", move || {
            let (service, handle) = HotSwap::new(Answer, swapped.clone());
            keeping(handle, requests(service))
        }),
        path("tower-hotswap: HotLayer of a ContextLayer", move || {
            let (layer, handle) = HotLayer::new(ContextLayer::<Facts>::new(), layered.clone());
            keeping(handle, requests(layer.layer(Answer)))
        }),
        path("tower-hotswap: PinConfigLayer", move || {
            requests(config.layer().layer(Answer))
        }),
        path(READS, move || {
            let mut reader = reader.reader();
            Box::new(move || {
                for _ in 0..REQUESTS * 100 {
                    black_box(reader.read());
                }
            })
        }),
        path("tower-flowctl: BreakerLayer", || {
            let breaker = Breaker::builder().build();
            requests(breaker.layer("/books").layer(Answer))
        }),
        path("tower-flowctl: PriorityLayer, HTTP/1.1", || {
            requests(PriorityLayer::new().layer(Answer))
        }),
        path("tower-trie-router: RouterLayer, a route taken", || {
            requests(router("/books/{id}").into_layer().layer(Answer))
        }),
        path("tower-trie-router: RouterLayer, fallen through", || {
            requests(router("/authors/{id}").into_layer().layer(Answer))
        }),
        path("tower-flowctl: AdaptiveLimitLayer", || {
            let limiter = Limiter::new(Gradient::default(), Queue::default());
            requests(AdaptiveLimitLayer::new(limiter).layer(Answer))
        }),
        path("tower-pool: ContextLayer", || {
            requests(ContextLayer::<Facts>::new().layer(Answer))
        }),
        path("tower-pool: PooledBodyLayer, no body", || {
            let pool = Pool::builder().build().expect("the defaults are valid");
            requests(PooledBodyLayer::new(BodyPool::new(pool)).layer(Answer))
        }),
        path(TOGETHER, move || {
            let pool = Pool::builder().build().expect("the defaults are valid");
            let limiter = Limiter::new(Gradient::default(), Queue::default());
            let breaker = Breaker::builder().build();
            let pooled = PooledBodyLayer::new(BodyPool::new(pool)).layer(Answer);
            let guarded = breaker
                .layer("/books")
                .layer(AdaptiveLimitLayer::new(limiter).layer(pooled));
            let known = ContextLayer::<Facts>::new().layer(guarded);
            let (service, handle) = HotSwap::new(known, together.clone());
            keeping(handle, requests(service))
        }),
    ])
}

/// A router of one route, which answers as [`Answer`] does.
fn router(route: &str) -> TrieService {
    TrieRouter::new().get(route, || async { "ok" }).build()
}

fn path(name: &str, build: impl Fn() -> Pass + 'static) -> HotPath {
    HotPath::new(name, REQUESTS, build)
}

/// A pass that keeps something alive that the service needs.
fn keeping<K: 'static>(kept: K, mut pass: Pass) -> Pass {
    Box::new(move || {
        black_box(&kept);
        pass();
    })
}

/// A pass of requests to a service.
fn requests<S, R>(mut service: S) -> Pass
where
    S: Service<Request, Response = http::Response<R>, Error: std::fmt::Debug> + 'static,
{
    Box::new(move || {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..REQUESTS {
            let request = Request::get("/books/7")
                .body(Body::empty())
                .expect("the path is valid");
            assert!(service.poll_ready(&mut context).is_ready());
            let future = pin!(service.call(request));
            match future.poll(&mut context) {
                Poll::Ready(Ok(response)) => drop(black_box(response)),
                Poll::Ready(Err(error)) => panic!("{error:?}"),
                Poll::Pending => panic!("not answered at the first poll"),
            }
        }
    })
}

/// Answers at once, whatever the body.
#[derive(Debug, Clone)]
struct Answer;

impl Service<Request> for Answer {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        black_box(&request);
        ready(Ok("ok".into_response()))
    }
}

impl Service<http::Request<PooledBody>> for Answer {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<PooledBody>) -> Self::Future {
        black_box(&request);
        ready(Ok("ok".into_response()))
    }
}

/// What the layers of a request tell each other.
#[derive(Debug, Default)]
struct Facts {
    user: u64,
}

impl Reset for Facts {
    fn reset(&mut self) {
        self.user = 0;
    }
}
