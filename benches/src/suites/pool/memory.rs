//! 400 uploads of 1 MiB at once into a budget of 64 MiB: the most that the process holds, and what is left.
//!
//! [`load`] does the uploads, [`finish`] looks at what is left of them: in between the servers rest, while other
//! parts of the suite are measured.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Allocator, http};
use crate::{
    load::{self, Ask, Plan, Span},
    process::{Cores, Server, on_core},
    report::{Better, Report, Table, number},
    stats::Interval,
    suite::Options,
};

const UPLOADS: usize = 400;
const MIB: f64 = (1 << 20) as f64;
/// The limit of the server `budget`.
const BUDGET: f64 = 64.0;

/// How the uploads are sent.
const SHAPES: [&str; 2] = ["in 256 pieces", "whole"];

/// Servers after their uploads.
pub(super) struct Resting {
    since: Instant,
    /// One of [`SHAPES`], and what each server did then.
    shapes: Vec<(&'static str, Vec<(Server, Outcome)>)>,
}

/// Resident bytes, but for the counts.
struct Outcome {
    answered: u64,
    refused: u64,
    idle: u64,
    /// The most over `idle`.
    peak: u64,
}

/// Uploads to each server, one after another.
pub(super) fn load(options: &Options) -> Result<Resting, String> {
    let mut shapes = Vec::new();
    for shape in SHAPES.into_iter().take(options.pick(1, SHAPES.len())) {
        let ask = match shape {
            "whole" => Ask::post("/bytes", vec![b'x'; 1 << 20]),
            _ => Ask::post("/bytes", http::in_pieces(1 << 20, 256))
                .header("transfer-encoding", "chunked"),
        };
        let mut servers = Vec::new();
        for allocator in Allocator::all() {
            for what in ["axum", "extractors", "budget"] {
                let server = allocator.server(what)?;
                let outcome = upload(&server, &ask)?;
                servers.push((server, outcome));
            }
        }
        shapes.push((shape, servers));
    }
    Ok(Resting {
        since: Instant::now(),
        shapes,
    })
}

/// Waits until all have rested, and reports.
pub(super) fn finish(resting: Resting, options: &Options) -> Result<(), String> {
    let rest = Duration::from_secs(options.pick(10, 300));
    thread::sleep(rest.saturating_sub(resting.since.elapsed()));
    let mut report = Report::new("pool-memory");
    report.note(format!(
        "{UPLOADS} connections each send 1 MiB, in 256 pieces, and whole, three times over; `extractors` may hold 256 MiB, \
         `budget` {BUDGET}, and it trims glibc's heap with the pool. MiB of resident memory: before, the most over that, \
         and what is left of that after {} s of quiet.",
        resting.since.elapsed().as_secs()
    ));
    for (shape, servers) in resting.shapes {
        let mut table = Table::new(
            format!("{UPLOADS} uploads of 1 MiB at once, {shape}"),
            &[
                "server",
                "answered",
                "503",
                "before",
                "peak over it",
                "of the budget",
                "left",
                "given back %",
            ],
        );
        for (server, outcome) in servers {
            let left = server.usage().resident.saturating_sub(outcome.idle);
            let peak = outcome.peak as f64 / MIB;
            let back = 100.0 * (1.0 - left as f64 / outcome.peak as f64);
            let bounded = server.name.starts_with("budget");
            table.row(vec![
                server.name.clone(),
                outcome.answered.to_string(),
                outcome.refused.to_string(),
                number(outcome.idle as f64 / MIB),
                number(peak),
                if bounded {
                    format!("{:.2}x", peak / BUDGET)
                } else {
                    "-".into()
                },
                number(left as f64 / MIB),
                number(back),
            ]);
            report.rows(&[json!({
                "case": shape, "server": server.name,
                "answered": outcome.answered, "refused": outcome.refused,
                "idle bytes": outcome.idle, "peak over it": outcome.peak, "left": left,
            })])?;
            let name = format!("{shape}: {}", server.name);
            let (peak, back) = (Interval::exact(peak), Interval::exact(back));
            report.figure(
                format!("{name}, peak over idle"),
                peak,
                "MiB",
                Better::Lower,
            );
            if bounded {
                report.figure(format!("{name}, given back"), back, "%", Better::Higher);
            }
        }
        report.table(table);
    }
    report.finish(options)
}

fn upload(server: &Server, ask: &Ask) -> Result<Outcome, String> {
    // One request first, so that what every process needs once is there.
    let once = Plan {
        span: Span::Requests(1),
        ..Plan::new(server.address, vec![Ask::get("/rows/1024")])
    };
    load::run(&once)?.checked()?;
    let idle = server.usage().resident;
    let outcome = on_core(Cores::split().client, || {
        load::run(&Plan {
            connections: UPLOADS,
            span: Span::Requests(3 * UPLOADS as u64),
            deadline: Duration::from_secs(120),
            ..Plan::new(server.address, vec![ask.clone()])
        })
    })??;
    let refused: u64 = outcome
        .errors
        .iter()
        .filter(|(error, _)| error.contains("status 503"))
        .map(|(_, count)| count)
        .sum();
    if refused != outcome.error_count() {
        return Err(format!("{}: {:?}", server.name, outcome.errors));
    }
    Ok(Outcome {
        answered: outcome.answered,
        refused,
        idle,
        peak: server.usage().peak.saturating_sub(idle),
    })
}
