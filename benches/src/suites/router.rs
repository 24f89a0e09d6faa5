//! Routers alone: look-ups in every set, by every peer.
//!
//! `find` looks a path up and reads the value; `params` reads all parameters
//! too. Times are nanoseconds a look-up of interleaved rounds; allocations are
//! counted over one pass; bytes and build time are of the built router, a route.

use serde::Serialize;

use crate::{
    alloc,
    cachegrind::{self, Counts, Depth, Probe},
    hot::HotPath,
    peers::{Built, Mode, OURS, PEERS, Peer, REFERENCE},
    plot::{Curve, Plot, Scale},
    report::{Better, Report, Table, number},
    sets::{self, Set, Size},
    stats::{Interval, median},
    suite::{Options, Suite},
    timing::{Subject, Timing, interleave, now},
};

/// The suite.
pub(super) const SUITE: Suite =
    Suite::new("router", "Look-ups by every router in every route set", run)
        .switches(&[(
            "cachegrind",
            "Instructions, cache misses and mispredictions by valgrind instead of times",
        )])
        .hot_paths(hot_paths)
        .probe(probe);

/// What the gate holds: a set and what is done with its paths.
const HELD: &[(&str, Mode)] = &[
    ("matchit", Mode::Find),
    ("matchit", Mode::Params),
    ("github", Mode::Find),
    ("github", Mode::Params),
    ("github-random", Mode::Params),
    ("matchit-catchall", Mode::Find),
    ("matchit-404", Mode::Find),
    ("scale-1000", Mode::Params),
];

fn size(options: &Options) -> Size {
    options.pick(Size::Quick, Size::Full)
}

fn peers(options: &Options) -> Result<Vec<Peer>, String> {
    for name in &options.peers {
        Peer::named(name)?;
    }
    let wanted = |peer: &&Peer| {
        let always = peer.name == OURS || peer.name == REFERENCE;
        always || options.wants_peer(peer.name)
    };
    Ok(PEERS.iter().filter(wanted).copied().collect())
}

fn chosen_sets(options: &Options) -> Result<Vec<Set>, String> {
    let names: Vec<&str> = if options.cases.is_empty() {
        let small = |name: &&str| !options.quick || !name.ends_with("0000");
        sets::NAMES.iter().copied().filter(small).collect()
    } else {
        options.cases.iter().map(String::as_str).collect()
    };
    names
        .into_iter()
        .map(|name| sets::make(name, size(options)))
        .collect()
}

fn run(options: &Options) -> Result<(), String> {
    if options.has("cachegrind") {
        count(options)
    } else {
        time(options)
    }
}

fn hot_paths() -> Result<Vec<HotPath>, String> {
    HELD.iter()
        .map(|&(name, mode)| hot_path(name, mode))
        .collect()
}

fn hot_path(name: &'static str, mode: Mode) -> Result<HotPath, String> {
    let set = sets::make(name, Size::Quick)?;
    let (routes, lookups) = (set.patterns.len(), set.lookups.len());
    let peer = Peer::named(OURS)?;
    let paths = set.paths().leak();
    let path = HotPath::new(format!("{name} {}", mode.name()), lookups, move || {
        let built = peer.build(&set.patterns);
        Box::new(move || {
            std::hint::black_box(built.pass(mode, paths));
        })
    });
    let (few, many) = passes(name);
    Ok(path.passes(few, many).keeps(routes))
}

/// A long pass needs no repetition to drown what varies.
fn passes(set: &str) -> (usize, usize) {
    if sets::is_cyclic(set) {
        (2, 12)
    } else {
        (1, 3)
    }
}

/// The probe that valgrind runs: passes of one peer and mode over one set.
fn probe(arguments: &[String], passes: usize) -> Result<(), String> {
    let [peer, set, mode, size] = arguments else {
        return Err("a probe of routers is a peer, a set, a mode and a size".into());
    };
    let mode = Mode::ALL
        .into_iter()
        .find(|m| m.name() == mode)
        .ok_or_else(|| format!("no mode is called `{mode}`"))?;
    let size = if size == "quick" {
        Size::Quick
    } else {
        Size::Full
    };
    let peer = Peer::named(peer)?;
    let set = sets::make(set, size)?;
    let (paths, built) = (set.paths(), peer.build(&set.patterns));
    let paths = paths.list();
    for _ in 0..passes {
        std::hint::black_box(built.pass(mode, &paths));
    }
    Ok(())
}

/// The probe of one peer, set and mode.
pub(crate) fn probe_of(peer: &str, set: &Set, mode: Mode, size: Size) -> Probe {
    let size_name = if size == Size::Quick { "quick" } else { "full" };
    Probe {
        args: ["router", peer, set.name, mode.name(), size_name]
            .map(str::to_owned)
            .to_vec(),
        units_per_pass: set.lookups.len(),
        passes: passes(set.name),
    }
}

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

fn time(options: &Options) -> Result<(), String> {
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
    let rounds = if quick { 30 } else { 200 };
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
    let title = format!(
        "{}: {} routes, {} look-ups",
        set.name,
        set.patterns.len(),
        set.lookups.len()
    );
    let mut table = Table::new(
        title,
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

#[derive(Debug, Serialize)]
struct CountRow {
    set: &'static str,
    peer: &'static str,
    find: Counts,
    params: Counts,
}

fn count(options: &Options) -> Result<(), String> {
    let peers = peers(options)?;
    let mut report = Report::new("router-cachegrind");
    for set in chosen_sets(options)? {
        let rows = count_set(&set, &peers, size(options))?;
        report.table(count_table(&set, &rows)).rows(&rows)?;
    }
    report.note("A look-up's counts by cachegrind: instructions, first-level data misses (32 KiB, 8-way), mispredicted branches (its predictor, not a real CPU's).");
    report.finish(options)
}

fn count_set(set: &Set, peers: &[Peer], size: Size) -> Result<Vec<CountRow>, String> {
    let fits = |peer: &&Peer| set.patterns.len() <= peer.max_routes;
    let peers: Vec<_> = peers.iter().filter(fits).collect();
    for peer in &peers {
        peer.verify(&*peer.build(&set.patterns), set)?;
    }
    let probes: Vec<Probe> = peers
        .iter()
        .flat_map(|peer| Mode::ALL.map(|mode| probe_of(peer.name, set, mode, size)))
        .collect();
    let counts = cachegrind::run_all(&probes, Depth::Caches)?;
    let row = |(peer, counts): (&&Peer, &[Counts])| CountRow {
        set: set.name,
        peer: peer.name,
        find: counts[0],
        params: counts[1],
    };
    Ok(peers.iter().zip(counts.chunks(2)).map(row).collect())
}

fn count_table(set: &Set, rows: &[CountRow]) -> Table {
    let title = format!(
        "{}: {} routes, {} look-ups",
        set.name,
        set.patterns.len(),
        set.lookups.len()
    );
    let mut table = Table::new(
        title,
        &[
            "router",
            "find instr",
            "D1 miss",
            "mispred",
            "params instr",
            "D1 miss",
            "mispred",
        ],
    );
    for row in rows {
        let mut cells = vec![row.peer.to_owned()];
        for counts in [&row.find, &row.params] {
            cells.push(number(counts.instructions));
            cells.push(number(counts.d1_misses));
            cells.push(number(counts.mispredicts));
        }
        table.row(cells);
    }
    table
}
