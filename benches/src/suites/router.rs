//! Routers alone: look-ups in every set, by every peer.
//!
//! `find` looks a path up and reads the value; `params` reads all parameters
//! too. Times are nanoseconds a look-up of interleaved rounds; allocations are
//! counted over one pass; bytes and build time are of the built router, a route.

use clap::Args;
use serde::Serialize;

use crate::{
    alloc,
    cachegrind::{self, Counts, Depth, Probe},
    peers::{Built, Mode, OURS, PEERS, Peer, REFERENCE},
    report::{self, Table, number},
    sets::{self, Set, Size},
    timing::{Subject, Timing, interleave, median, now},
};

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fewer rounds and picks, sets of at most 1,000 routes: a trial, not a result.
    #[arg(long)]
    quick: bool,
    /// Only these peers (ours and the reference are always there).
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Only these sets.
    #[arg(long = "set", value_delimiter = ',')]
    sets: Vec<String>,
    /// Instructions, cache misses and mispredictions by valgrind instead of times.
    #[arg(long)]
    cachegrind: bool,
    /// Write the result to benches/results/.
    #[arg(long)]
    save: bool,
}

impl Options {
    fn size(&self) -> Size {
        if self.quick { Size::Quick } else { Size::Full }
    }

    fn peers(&self) -> Result<Vec<Peer>, String> {
        for name in &self.peers {
            Peer::named(name)?;
        }
        let wanted = |peer: &&Peer| {
            let always = peer.name == OURS || peer.name == REFERENCE;
            always || self.peers.is_empty() || self.peers.iter().any(|name| name == peer.name)
        };
        Ok(PEERS.iter().filter(wanted).copied().collect())
    }

    fn sets(&self) -> Result<Vec<Set>, String> {
        let names: Vec<&str> = if self.sets.is_empty() {
            let small = |name: &&str| !self.quick || !name.ends_with("0000");
            sets::NAMES.iter().copied().filter(small).collect()
        } else {
            self.sets.iter().map(String::as_str).collect()
        };
        names
            .into_iter()
            .map(|name| sets::make(name, self.size()))
            .collect()
    }
}

/// Runs the suite.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    if options.cachegrind {
        count(options)
    } else {
        time(options)
    }
}

/// The probe that valgrind runs: `passes` passes of one mode over one set.
pub(crate) fn probe(
    peer: &str,
    set: &str,
    mode: Mode,
    size: Size,
    passes: usize,
) -> Result<(), String> {
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
        // A long pass needs no repetition to drown what varies.
        passes: if sets::is_cyclic(set.name) {
            (2, 12)
        } else {
            (1, 3)
        },
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
            build_ns_per_route: median(times.collect()) / routes,
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

/// Allocations a look-up and heap bytes a route of our router, for the gate.
pub(crate) fn memory_of_ours(set: &Set, mode: Mode) -> Result<(f64, f64), String> {
    let ready = Ready::new(Peer::named(OURS)?, set, 1)?;
    let paths = set.paths();
    let allocations = ready.allocations(mode, &paths.list());
    Ok((allocations, ready.bytes_per_route))
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
    let peers = options.peers()?;
    let (mut rows, mut tables) = (Vec::new(), Vec::new());
    for set in options.sets()? {
        let set_rows = time_set(&set, &peers, options.quick)?;
        let table = time_table(&set, &set_rows);
        println!("{}", table.markdown());
        tables.push(table);
        rows.extend(set_rows);
    }
    let notes = "Nanoseconds a look-up in one interleaved run; `x` is how many times faster than matchit 0.9.2 (median of the rounds' own ratios). Allocations are a look-up's, bytes (heap) and build time a route's.";
    report::finish("router", notes, &tables, &rows, options.save)
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
    let peers = options.peers()?;
    let (mut rows, mut tables) = (Vec::new(), Vec::new());
    for set in options.sets()? {
        let set_rows = count_set(&set, &peers, options.size())?;
        let table = count_table(&set, &set_rows);
        println!("{}", table.markdown());
        tables.push(table);
        rows.extend(set_rows);
    }
    let notes = "A look-up's counts by cachegrind: instructions, first-level data misses (32 KiB, 8-way), mispredicted branches (its predictor, not a real CPU's).";
    report::finish("router-cachegrind", notes, &tables, &rows, options.save)
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
