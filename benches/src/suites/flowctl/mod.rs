//! What response priority costs: HTTP/2 with nothing prioritised, beside hyper and axum without it.
//!
//! Every server answers with equal bytes from the same service, on a core of its own with tokio's usual runtime of
//! several threads, and speaks h2c.
//! `hyper` is hyper-util's server, which runs each stream in a task; `axum` is `axum::serve` with a router; `layered` is
//! that with our listener and layer; `ours` is our `serve` with the service hyper has, and `ours, spawn` the same
//! without running handlers in the connection's task.

mod memory;
mod server;

use std::time::Duration;

use crate::{
    load::{self, Ask, Plan, Protocol, Span},
    process::{Cores, Server, on_core},
    report::{Better, Report, Table},
    rounds::{self, Sample, Series},
    suite::{Options, Suite},
};

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "flowctl",
    "HTTP/2 with response priority beside hyper and axum",
    run,
)
.peers(PEERS)
.cases(&["small", "100 KB", "4 MB", "4 MB alone"])
.hot_paths(memory::hot_paths)
.serve(server::serve)
.probe(memory::probe);

const PEERS: &[&str] = &["hyper", "axum", "layered", "ours", "ours, spawn"];
const REFERENCE: &str = "hyper";

/// A name, the path, the length of its answer, connections, and streams on each.
const CASES: &[(&str, &str, u64, usize, usize)] = &[
    ("small", "/small", 13, 8, 32),
    ("100 KB", "/100000", 100_000, 8, 10),
    ("4 MB", "/4000000", 4_000_000, 1, 10),
    ("4 MB alone", "/4000000", 4_000_000, 1, 1),
];

fn run(options: &Options) -> Result<(), String> {
    let mut servers = Vec::new();
    for &name in PEERS {
        if matches!(name, REFERENCE | "ours") || options.wants_peer(name) {
            servers.push((name.to_owned(), Server::ours(name, "flowctl", &[name])?));
        }
    }
    let mut report = Report::new("flowctl");
    report.note("Closed loops over h2c, a core for the server (two threads, tokio's multi-thread runtime), another for the load; medians of interleaved rounds. `CPU us` is the server's time a request, user and system.");
    for &(case, path, length, connections, in_flight) in CASES {
        if !options.wants_case(case) {
            continue;
        }
        let all = on_core(Cores::split().client, || {
            rounds::interleave(case, &mut servers, options.pick(2, 15), |_, server, _| {
                let outcome = load::run(&Plan {
                    protocol: Protocol::Http2,
                    connections,
                    in_flight,
                    span: Span::Time(Duration::from_millis(options.pick(300, 1_000))),
                    pid: Some(server.pid()),
                    ..Plan::new(server.address, vec![Ask::get(path).length(length)])
                })?
                .checked()?;
                Ok(Sample::new()
                    .with("CPU us", outcome.cpu_micros())
                    .with("requests/s", outcome.rate()))
            })
        })??;
        let title =
            format!("{case}: {length} bytes, {connections} connections with {in_flight} streams");
        report.series(case, &all)?;
        report.table(Table::of_series(
            &title,
            "server",
            &["CPU us", "requests/s"],
            &all,
            REFERENCE,
        ));
        if let (Some(ours), Some(hyper)) = (named(&all, "ours"), named(&all, REFERENCE)) {
            report.figure(
                format!("{case}: requests a second, of hyper's"),
                ours.ratio(hyper, "requests/s"),
                "x",
                Better::Higher,
            );
            report.figure(
                format!("{case}: CPU, of hyper's"),
                ours.ratio(hyper, "CPU us"),
                "x",
                Better::Lower,
            );
        }
    }
    report.table(memory::table()?);
    report.finish(options)
}

fn named<'a>(all: &'a [Series], name: &str) -> Option<&'a Series> {
    all.iter().find(|series| series.name == name)
}
