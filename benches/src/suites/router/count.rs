//! Instructions, cache misses and mispredictions by cachegrind.

use serde::Serialize;

use super::{chosen_sets, peers, probe_of, size, title};
use crate::{
    cachegrind::{self, Counts, Depth, Probe},
    peers::{Mode, Peer},
    report::{Report, Table, number},
    sets::{Set, Size},
    suite::Options,
};

#[derive(Debug, Serialize)]
struct CountRow {
    set: &'static str,
    peer: &'static str,
    find: Counts,
    params: Counts,
}

pub(super) fn run(options: &Options) -> Result<(), String> {
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
    let mut table = Table::new(
        title(set),
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
