//! 400 uploads of 1 MiB at once into a budget of 64 MiB: the most that the process holds, and what is left.

use std::{thread, time::Duration};

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

struct Outcome {
    answered: u64,
    refused: u64,
    idle: u64,
    peak: u64,
    settled: u64,
}

pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut report = Report::new("pool-memory");
    let rest = Duration::from_secs(options.pick(10, 600));
    report.note(format!(
        "{UPLOADS} connections each send 1 MiB, in 256 pieces, and whole, three times over; `extractors` may hold 256 MiB, \
         `budget` 64. MiB of resident memory: before, the most over that, and what is left of that after {} s of quiet.",
        rest.as_secs()
    ));
    let uploads = [
        (
            "in 256 pieces",
            Ask::post("/bytes", http::in_pieces(1 << 20, 256))
                .header("transfer-encoding", "chunked"),
        ),
        ("whole", Ask::post("/bytes", vec![b'x'; 1 << 20])),
    ];
    for (name, ask) in uploads {
        let mut table = Table::new(
            format!("{UPLOADS} uploads of 1 MiB at once, {name}"),
            &[
                "server",
                "answered",
                "503",
                "before",
                "peak over it",
                "left",
                "given back %",
            ],
        );
        let mut subjects = Vec::new();
        for allocator in Allocator::all() {
            for what in ["axum", "extractors", "budget"] {
                let server = allocator.server(what)?;
                subjects.push((server.name.clone(), upload(&server, &ask)?, server));
            }
        }
        // All rest together.
        thread::sleep(rest);
        for (subject, mut outcome, server) in subjects {
            outcome.settled = server.usage().resident.saturating_sub(outcome.idle);
            let back = 100.0 * (1.0 - outcome.settled as f64 / outcome.peak as f64);
            table.row(vec![
                subject.clone(),
                outcome.answered.to_string(),
                outcome.refused.to_string(),
                number(outcome.idle as f64 / MIB),
                number(outcome.peak as f64 / MIB),
                number(outcome.settled as f64 / MIB),
                number(back),
            ]);
            report.figure(
                format!("{name}: {subject}, peak over idle"),
                Interval::exact(outcome.peak as f64 / MIB),
                "MiB",
                Better::Lower,
            );
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
        settled: 0,
    })
}
