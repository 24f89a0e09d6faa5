//! The article's claim for an aligned trie, on our own figures.
//!
//! The claim: 124 to 41 ns a random look-up, and first-level data misses from
//! 38.2 % to 9.7 % of the references, against a trie chained by pointers. Here
//! the same look-ups, random among many routes, go to our trie and to
//! two pointer tries that decide alike (`peers/pointer/`): the textbook's, with a
//! node a byte, and one with a node a segment; matchit stands beside them.
//! Misses a reference are cachegrind's.

use serde::Serialize;

use crate::{
    cachegrind::{self, Counts, Depth},
    peers::{Mode, OURS, POINTER_BYTES, POINTER_SEGMENTS, Peer, REFERENCE},
    report::{Better, Report, Table, number},
    sets::{self, Set, Size},
    stats::Interval,
    suite::{Options, Suite},
    suites::router::{lookups, probe_of},
    timing::{Subject, Timing, interleave},
};

const SETS: [&str; 3] = ["scale-1000", "scale-10000", "scale-100000"];
const PEERS: [&str; 4] = [POINTER_BYTES, POINTER_SEGMENTS, REFERENCE, OURS];

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "locality",
    "Aligned nodes against nodes chained by pointers",
    run,
)
.cases(&SETS);

#[derive(Debug, Serialize)]
struct Row {
    set: &'static str,
    router: &'static str,
    find: Timing,
    counts: Counts,
    d1_miss_percent: f64,
}

fn run(options: &Options) -> Result<(), String> {
    let size = options.pick(Size::Quick, Size::Full);
    let mut report = Report::new("locality");
    // A trial is not to wait for the largest: verifying and counting it takes most of the time.
    let largest = |name: &str| options.quick && options.cases.is_empty() && name == SETS[2];
    let wanted = |name: &&str| options.wants_case(name) && !largest(name);
    for name in SETS.into_iter().filter(wanted) {
        let set = sets::make(name, size)?;
        let rows = measure(&set, size, options.pick(20, 100))?;
        report.table(table(&set, &rows)).rows(&rows)?;
        figures(&mut report, &rows);
    }
    report.note("Random look-ups among many routes: time, and first-level data misses as a share of the data references. `x` is how many times faster than the textbook's trie.");
    report.finish(options)
}

fn measure(set: &Set, size: Size, rounds: usize) -> Result<Vec<Row>, String> {
    let mut built = Vec::new();
    for name in PEERS {
        let peer = Peer::named(name)?;
        let router = peer.build(&set.patterns);
        peer.verify(&*router, set)?;
        built.push(router);
    }
    let paths = set.paths();
    let paths = paths.list();
    let paths = &paths;
    let mut subjects: Vec<Subject<'_>> = built
        .iter()
        .map(|router| lookups(&**router, Mode::Find, paths))
        .collect();
    let timings = interleave(&mut subjects, rounds, 0);
    let probes: Vec<_> = PEERS
        .iter()
        .map(|peer| probe_of(peer, set, Mode::Find, size))
        .collect();
    let counts = cachegrind::run_all(&probes, Depth::Caches)?;
    let row = |((router, find), counts): ((_, _), Counts)| Row {
        set: set.name,
        router,
        find,
        counts,
        d1_miss_percent: counts.d1_miss_rate(),
    };
    Ok(PEERS
        .into_iter()
        .zip(timings)
        .zip(counts)
        .map(row)
        .collect())
}

/// The two halves of the claim: the time, and the misses.
fn figures(report: &mut Report, rows: &[Row]) {
    for row in rows.iter().filter(|row| row.router == OURS) {
        report
            .figure(
                format!("{}: times the speed of {POINTER_BYTES}", row.set),
                row.find.speedup_interval,
                "x",
                Better::Higher,
            )
            .figure(
                format!("{}: D1 misses a data reference", row.set),
                Interval::exact(row.d1_miss_percent),
                "%",
                Better::Lower,
            );
    }
}

fn table(set: &Set, rows: &[Row]) -> Table {
    let mut table = Table::new(
        format!(
            "{} routes, {} random look-ups",
            set.patterns.len(),
            set.lookups.len()
        ),
        &[
            "router",
            "ns",
            "min",
            "x",
            "D1 misses",
            "data refs",
            "miss %",
            "instr",
        ],
    );
    for row in rows {
        table.row(vec![
            row.router.to_owned(),
            number(row.find.median_ns),
            number(row.find.min_ns),
            number(row.find.speedup),
            number(row.counts.d1_misses),
            number(row.counts.data_refs),
            number(row.d1_miss_percent),
            number(row.counts.instructions),
        ]);
    }
    table
}
