//! Times of interleaved rounds, allocations, bytes kept and the time to build.

use serde::Serialize;

use super::{chosen_sets, peers, title};
use crate::{
    alloc,
    peers::{Built, Mode, OURS, Peer, REFERENCE},
    plot::{Curve, Plot, Scale},
    report::{Better, Report, Table, number},
    sets::Set,
    stats::{Interval, median},
    suite::Options,
    timing::{Subject, Timing, interleave, now},
};

/// A peer built for a set, checked, and what building it took.
struct Ready {
    peer: Peer,
    built: Box<dyn Built>,
    bytes_per_route: f64,
    build_ns_per_route: f64,
}

impl Ready {
    fn new(peer: Peer, set: &Set, repeats: usize) -> Result<Self, String> {
        let routes = set.patterns.len() as f64;
        let (built, bytes) = alloc::retained(|| peer.build(&set.patterns));
        peer.verify(&*built, set)?;
        let times = (0..repeats).map(|_| {
            let start = now();
            let again = peer.build(&set.patterns);
            let time = (now() - start).as_nanos() as f64;
            drop(again);
            time
        });
        Ok(Self {
            peer,
            built,
            bytes_per_route: bytes as f64 / routes,
            build_ns_per_route: median(&times.collect::<Vec<_>>()) / routes,
        })
    }

    /// Allocations a look-up, over one pass that is not the first.
    fn allocations(&self, mode: Mode, paths: &[&str]) -> f64 {
        self.built.pass(mode, paths);
        let ((), calls) = alloc::count(|| {
            std::hint::black_box(self.built.pass(mode, paths));
        });
        calls as f64 / paths.len() as f64
    }
}

#[derive(Debug, Serialize)]
struct TimeRow {
    set: &'static str,
    routes: usize,
    lookups: usize,
    peer: &'static str,
    find: Timing,
    params: Timing,
    find_allocations: f64,
    params_allocations: f64,
    bytes_per_route: f64,
    build_ns_per_route: f64,
}

pub(super) fn run(options: &Options) -> Result<(), String> {
    let peers = peers(options)?;
    let mut report = Report::new("router");
    let mut all = Vec::new();
    for set in chosen_sets(options)? {
        let rows = time_set(&set, &peers, options.quick)?;
        report.table(time_table(&set, &rows)).rows(&rows)?;
        figures(&mut report, &rows);
        all.extend(rows);
    }
    if all.iter().any(|row| row.set.starts_with("scale-")) {
        report.plot("scale", scale_plot(&all));
    }
    report.note("Nanoseconds a look-up in one interleaved run; `x` is how many times faster than matchit 0.9.2 (median of the rounds' own ratios). Allocations are a look-up's, bytes (heap) and build time a route's.");
    report.finish(options)
}

/// What a reader would quote: our speed beside the reference's, and our memory.
fn figures(report: &mut Report, rows: &[TimeRow]) {
    for row in rows.iter().filter(|row| row.peer == OURS) {
        let of = |what: &str| format!("{}: {what}", row.set);
        let times = format!("times {REFERENCE}'s speed");
        report
            .figure(
                of(&format!("find, {times}")),
                row.find.speedup_interval,
                "x",
                Better::Higher,
            )
            .figure(
                of(&format!("params, {times}")),
                row.params.speedup_interval,
                "x",
                Better::Higher,
            )
            .figure(
                of("heap bytes a route"),
                Interval::exact(row.bytes_per_route),
                "bytes",
                Better::Lower,
            );
    }
}

/// A look-up's time against the number of routes, in the sets that grow.
fn scale_plot(rows: &[TimeRow]) -> Plot {
    let mut curves: Vec<Curve> = Vec::new();
    for row in rows.iter().filter(|row| row.set.starts_with("scale-")) {
        let point = (row.routes as f64, row.find.median_ns);
        match curves.iter_mut().find(|(name, _)| name == row.peer) {
            Some((_, points)) => points.push(point),
            None => curves.push((row.peer.to_owned(), vec![point])),
        }
    }
    Plot::curves(
        "A random look-up by the number of routes",
        ("routes", Scale::Logarithmic),
        ("ns", Scale::Logarithmic),
        curves,
    )
}

fn time_set(set: &Set, peers: &[Peer], quick: bool) -> Result<Vec<TimeRow>, String> {
    let routes = set.patterns.len();
    let repeats = if routes > 1_000 { 3 } else { 15 };
    let mut ready = Vec::new();
    for peer in peers.iter().filter(|peer| routes <= peer.max_routes) {
        ready.push(Ready::new(*peer, set, repeats)?);
    }
    let paths = set.paths();
    let paths = paths.list();
    let rounds = if quick { 10 } else { 200 };
    let [find, params] = Mode::ALL.map(|mode| time_mode(&ready, mode, &paths, rounds));
    let row = |index: usize| {
        let ready = &ready[index];
        TimeRow {
            set: set.name,
            routes,
            lookups: paths.len(),
            peer: ready.peer.name,
            find: find[index],
            params: params[index],
            find_allocations: ready.allocations(Mode::Find, &paths),
            params_allocations: ready.allocations(Mode::Params, &paths),
            bytes_per_route: ready.bytes_per_route,
            build_ns_per_route: ready.build_ns_per_route,
        }
    };
    Ok((0..ready.len()).map(row).collect())
}

fn time_mode(ready: &[Ready], mode: Mode, paths: &[&str], rounds: usize) -> Vec<Timing> {
    let mut subjects: Vec<Subject<'_>> = ready
        .iter()
        .map(|ready| lookups(&*ready.built, mode, paths))
        .collect();
    let reference = ready.iter().position(|r| r.peer.name == REFERENCE);
    interleave(&mut subjects, rounds, reference.unwrap_or(0))
}

/// Look-ups to be timed: a pass is the next few thousand paths, so that a sample of a long set is short.
pub(crate) fn lookups<'a>(built: &'a dyn Built, mode: Mode, paths: &'a [&'a str]) -> Subject<'a> {
    const CHUNK: usize = 4_000;
    let units = paths.len().min(CHUNK);
    let mut chunks = paths.chunks_exact(units).cycle();
    Subject {
        work: Box::new(move |passes| {
            for chunk in chunks.by_ref().take(passes) {
                std::hint::black_box(built.pass(mode, chunk));
            }
        }),
        units,
    }
}

fn time_table(set: &Set, rows: &[TimeRow]) -> Table {
    let mut table = Table::new(
        title(set),
        &[
            "router",
            "find ns",
            "min",
            "x",
            "params ns",
            "min",
            "x",
            "allocs",
            "with params",
            "bytes/route",
            "build us/route",
        ],
    );
    for row in rows {
        table.row(vec![
            row.peer.to_owned(),
            number(row.find.median_ns),
            number(row.find.min_ns),
            number(row.find.speedup),
            number(row.params.median_ns),
            number(row.params.min_ns),
            number(row.params.speedup),
            number(row.find_allocations),
            number(row.params_allocations),
            number(row.bytes_per_route),
            number(row.build_ns_per_route / 1000.0),
        ]);
    }
    table
}
