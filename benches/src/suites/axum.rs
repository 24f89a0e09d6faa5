//! A request through axum's stack: `axum::Router` beside our router, with the same handlers.
//!
//! The application has matchit's 130 routes. A request is built, handed to the
//! service, polled once (every handler is ready at once) and its response
//! dropped; the paths go round. `noop` does all of that with a service that
//! gives the same answer at once, so the difference to it is what routing, extracting and
//! calling the handler cost.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, RawPathParams, Request},
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use serde::Serialize;
use tower_service::Service;
use tower_trie_router::{RouteMatch, TrieRouter};

use crate::{
    alloc,
    cachegrind::{self, Counts, Depth, Probe},
    hot::HotPath,
    report::{Better, Report, Table, number},
    sets::{self, Set, Size},
    stats::Interval,
    suite::{Options, Suite},
    timing::{Subject, Timing, interleave},
};

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "axum",
    "A request through axum's Router and through ours",
    run,
)
.hot_paths(hot_paths)
.probe(probe);

/// The variants that the gate holds.
const HELD: &[&str] = &["ours, plain handler", "ours, Path", "ours, RouteMatch"];

/// An application that answers requests for the set's paths.
trait App {
    fn request(&mut self, path: &str) -> StatusCode;
}

impl<S> App for S
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    fn request(&mut self, path: &str) -> StatusCode {
        let mut context = Context::from_waker(Waker::noop());
        let request = Request::get(path)
            .body(Body::empty())
            .expect("the sets' paths are valid");
        assert!(self.poll_ready(&mut context).is_ready());
        let future = pin!(self.call(request));
        match future.poll(&mut context) {
            Poll::Ready(Ok(response)) => black_box(response).status(),
            Poll::Pending => panic!("`{path}` was not answered at the first poll"),
        }
    }
}

struct Variant {
    name: &'static str,
    /// Which of axum's own variants does the same.
    against: &'static str,
    build: fn(&[String]) -> Box<dyn App>,
}

const NOOP: &str = "noop";
const AXUM: &str = "axum, plain handler";
const AXUM_PATH: &str = "axum, Path";
const AXUM_RAW: &str = "axum, RawPathParams";

const VARIANTS: &[Variant] = &[
    Variant {
        name: NOOP,
        against: AXUM,
        build: |_| Box::new(Noop),
    },
    Variant {
        name: AXUM,
        against: AXUM,
        build: |patterns| with_axum(patterns, || get(plain)),
    },
    Variant {
        name: AXUM_PATH,
        against: AXUM_PATH,
        build: |patterns| with_axum(patterns, || get(with_path)),
    },
    Variant {
        name: AXUM_RAW,
        against: AXUM_RAW,
        build: |patterns| with_axum(patterns, || get(with_raw)),
    },
    Variant {
        name: "ours, plain handler",
        against: AXUM,
        build: |patterns| with_ours(patterns, |app, path| app.get(path, plain)),
    },
    Variant {
        name: "ours, plain, no MatchedPath",
        against: AXUM,
        build: |patterns| {
            with_ours(patterns, |app, path| {
                app.without_matched_path().get(path, plain)
            })
        },
    },
    Variant {
        name: "ours, Path",
        against: AXUM_PATH,
        build: |patterns| with_ours(patterns, |app, path| app.get(path, with_our_path)),
    },
    Variant {
        name: "ours, RouteMatch",
        against: AXUM_RAW,
        build: |patterns| with_ours(patterns, |app, path| app.get(path, with_route_match)),
    },
    Variant {
        name: "ours, compat with axum's Path",
        against: AXUM_PATH,
        build: |patterns| with_ours(patterns, |app, path| app.compat(path, get(with_path))),
    },
];

fn with_ours(patterns: &[String], add: fn(TrieRouter, path: &str) -> TrieRouter) -> Box<dyn App> {
    let add_one = |app, pattern: &String| add(app, pattern);
    Box::new(patterns.iter().fold(TrieRouter::new(), add_one).build())
}

fn with_axum(patterns: &[String], method: fn() -> axum::routing::MethodRouter) -> Box<dyn App> {
    let mut router = Router::new();
    for pattern in patterns {
        router = router.route(pattern, method());
    }
    Box::new(router)
}

async fn plain() -> &'static str {
    "ok"
}

async fn with_path(Path(params): Path<Vec<(String, String)>>) -> &'static str {
    black_box(params);
    "ok"
}

async fn with_our_path(
    tower_trie_router::Path(params): tower_trie_router::Path<Vec<(String, String)>>,
) -> &'static str {
    black_box(params);
    "ok"
}

async fn with_route_match(Extension(found): Extension<RouteMatch>) -> &'static str {
    for param in found.iter() {
        black_box(param);
    }
    "ok"
}

async fn with_raw(params: RawPathParams) -> &'static str {
    for param in &params {
        black_box(param);
    }
    "ok"
}

struct Noop;

impl Service<Request> for Noop {
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

fn pass(app: &mut dyn App, paths: &[&str]) {
    for path in black_box(paths) {
        black_box(app.request(path));
    }
}

fn hot_paths() -> Result<Vec<HotPath>, String> {
    let path = |name: &&'static str| {
        let variant = named(name)?;
        let set = sets::make("matchit", Size::Quick)?;
        let paths = set.paths().leak();
        Ok(HotPath::new(*name, paths.len(), move || {
            let mut app = (variant.build)(&set.patterns);
            Box::new(move || pass(&mut *app, paths))
        }))
    };
    HELD.iter().map(path).collect()
}

/// The probe that valgrind runs.
fn probe(arguments: &[String], passes: usize) -> Result<(), String> {
    let variant = named(&arguments.concat())?;
    let set = sets::make("matchit", Size::Quick)?;
    let mut app = (variant.build)(&set.patterns);
    let paths = set.paths();
    let paths = paths.list();
    for _ in 0..passes {
        pass(&mut *app, &paths);
    }
    Ok(())
}

fn named(name: &str) -> Result<&'static Variant, String> {
    VARIANTS
        .iter()
        .find(|variant| variant.name == name)
        .ok_or_else(|| format!("no variant is called `{name}`"))
}

#[derive(Debug, Serialize)]
struct Row {
    variant: &'static str,
    time: Timing,
    net_ns: f64,
    instructions: f64,
    net_instructions: f64,
    allocations: f64,
    bytes_per_route: f64,
    /// Net time as a share of that of axum's own variant that does the same.
    ratio: f64,
}

fn run(options: &Options) -> Result<(), String> {
    let set = sets::make("matchit", Size::Quick)?;
    let rows = measure(&set, options.pick(50, 400))?;
    let mut table = Table::new(
        "matchit's 130 routes, one in-process request",
        &[
            "variant",
            "ns",
            "min",
            "net of noop",
            "of axum's",
            "instr",
            "net instr",
            "allocs",
            "bytes/route",
        ],
    );
    for row in &rows {
        table.row(vec![
            row.variant.to_owned(),
            number(row.time.median_ns),
            number(row.time.min_ns),
            number(row.net_ns),
            number(row.ratio),
            number(row.instructions),
            number(row.net_instructions),
            number(row.allocations),
            number(row.bytes_per_route),
        ]);
    }
    let mut report = Report::new("axum");
    report.table(table).rows(&rows)?;
    figures(&mut report, &rows);
    report.note("One in-process request, polled once. `net of noop` is without building the request and dropping the response; `of axum's` is the net time as a share of axum's own for a handler that reads the same: nothing, `Path`, or the raw parameters.");
    report.finish(options)
}

/// What a request costs in our router as a share of axum's own, and its allocations.
fn figures(report: &mut Report, rows: &[Row]) {
    for (row, variant) in rows.iter().zip(VARIANTS) {
        if variant.against == variant.name || row.variant == NOOP {
            continue;
        }
        let against = rows[index_of(variant.against)].net_instructions;
        report
            .figure(
                format!(
                    "{}: net instructions, of {}'s",
                    row.variant, variant.against
                ),
                Interval::exact(row.net_instructions / against),
                "x",
                Better::Lower,
            )
            .figure(
                format!("{}: allocations", row.variant),
                Interval::exact(row.allocations),
                "allocations",
                Better::Lower,
            );
    }
}

fn measure(set: &Set, rounds: usize) -> Result<Vec<Row>, String> {
    let paths = set.paths();
    let paths = paths.list();
    let paths = &paths;
    let mut apps = Vec::new();
    let mut memory = Vec::new();
    for variant in VARIANTS {
        let (mut app, bytes) = alloc::retained(|| (variant.build)(&set.patterns));
        for path in paths {
            let status = app.request(path);
            if status != StatusCode::OK {
                return Err(format!("{} answered {status} to `{path}`", variant.name));
            }
        }
        let ((), calls) = alloc::count(|| pass(&mut *app, paths));
        let allocations = calls as f64 / paths.len() as f64;
        memory.push((allocations, bytes as f64 / set.patterns.len() as f64));
        apps.push(app);
    }
    let mut subjects: Vec<Subject<'_>> = apps
        .iter_mut()
        .map(|app| Subject {
            work: Box::new(move |passes| {
                for _ in 0..passes {
                    pass(&mut **app, paths);
                }
            }),
            units: paths.len(),
        })
        .collect();
    let timings = interleave(&mut subjects, rounds, index_of(AXUM));
    let counts = cachegrind::run_all(&probes(set), Depth::Instructions)?;
    Ok(rows(&timings, &counts, &memory))
}

fn probes(set: &Set) -> Vec<Probe> {
    let probe = |variant: &Variant| Probe {
        args: vec!["axum".to_owned(), variant.name.to_owned()],
        units_per_pass: set.lookups.len(),
        passes: (2, 12),
    };
    VARIANTS.iter().map(probe).collect()
}

fn rows(timings: &[Timing], counts: &[Counts], memory: &[(f64, f64)]) -> Vec<Row> {
    let noop = index_of(NOOP);
    let net = |index: usize| timings[index].median_ns - timings[noop].median_ns;
    let row = |(index, variant): (usize, &Variant)| Row {
        variant: variant.name,
        time: timings[index],
        net_ns: net(index),
        instructions: counts[index].instructions,
        net_instructions: counts[index].instructions - counts[noop].instructions,
        allocations: memory[index].0,
        bytes_per_route: memory[index].1,
        ratio: net(index) / net(index_of(variant.against)),
    };
    VARIANTS.iter().enumerate().map(row).collect()
}

fn index_of(name: &str) -> usize {
    VARIANTS
        .iter()
        .position(|variant| variant.name == name)
        .expect("the constants name variants")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_answers_every_path() {
        let set = sets::make("matchit", Size::Quick).unwrap();
        for variant in VARIANTS {
            let mut app = (variant.build)(&set.patterns);
            for lookup in &set.lookups {
                let status = app.request(&lookup.path);
                assert_eq!(status, StatusCode::OK, "{} {}", variant.name, lookup.path);
            }
        }
    }
}
