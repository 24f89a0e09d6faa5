//! What response priority costs: HTTP/2 with nothing prioritised, beside hyper and axum without it.
//!
//! Every server answers with equal bytes from the same service, on a core of its own with tokio's usual runtime of
//! several threads, and speaks h2c.
//! `hyper` is hyper-util's server, which runs each stream in a task; `axum` is `axum::serve` with a router; `layered` is
//! that with our listener and layer; `ours` is our `serve` with the service hyper has, and `ours, spawn` the same
//! without running handlers in the connection's task. Uploads are read to their end by all of them, frame by frame;
//! there `ours, budget` keeps receive windows that follow what a connection can use, where the others have hyper's fixed ones.

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
.cases(&[
    "small",
    "100 KB",
    "4 MB",
    "4 MB alone",
    "upload 64 KiB",
    "upload 1 MiB",
])
.hot_paths(memory::hot_paths)
.serve(server::serve)
.probe(memory::probe);

const PEERS: &[&str] = &[
    "hyper",
    "axum",
    "layered",
    "ours",
    "ours, spawn",
    "ours, budget",
];
const REFERENCE: &str = "hyper";

/// What is asked of the servers, and how much at a time.
struct Case {
    name: &'static str,
    way: Way,
    bytes: usize,
    connections: usize,
    streams: usize,
}

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Down,
    Up,
}

const CASES: &[Case] = &[
    Case::new("small", Way::Down, 13, 8, 32),
    Case::new("100 KB", Way::Down, 100_000, 8, 10),
    Case::new("4 MB", Way::Down, 4_000_000, 1, 10),
    Case::new("4 MB alone", Way::Down, 4_000_000, 1, 1),
    Case::new("upload 64 KiB", Way::Up, 64 << 10, 8, 4),
    Case::new("upload 1 MiB", Way::Up, 1 << 20, 8, 4),
];

impl Case {
    const fn new(
        name: &'static str,
        way: Way,
        bytes: usize,
        connections: usize,
        streams: usize,
    ) -> Self {
        Self {
            name,
            way,
            bytes,
            connections,
            streams,
        }
    }

    fn ask(&self) -> Ask {
        let Self { way, bytes, .. } = *self;
        match way {
            Way::Up => {
                Ask::post("/upload", vec![b'x'; bytes]).length(bytes.to_string().len() as u64)
            }
            Way::Down if self.name == "small" => Ask::get("/small").length(bytes as u64),
            Way::Down => Ask::get(format!("/{bytes}")).length(bytes as u64),
        }
    }

    /// The budget is for uploads.
    fn has(&self, server: &str) -> bool {
        self.way == Way::Up || server != "ours, budget"
    }
}

fn run(options: &Options) -> Result<(), String> {
    let mut servers = Vec::new();
    for &name in PEERS {
        if matches!(name, REFERENCE | "ours") || options.wants_peer(name) {
            servers.push((name.to_owned(), Server::ours(name, "flowctl", &[name])?));
        }
    }
    let mut report = Report::new("flowctl");
    report.note("Closed loops over h2c, a core for the server (two threads, tokio's multi-thread runtime), another for the load; medians of interleaved rounds. `CPU us` is the server's time a request, user and system.");
    for case in CASES {
        let &Case {
            name,
            way,
            bytes,
            connections,
            streams,
        } = case;
        if !options.wants_case(name) {
            continue;
        }
        let mut subjects: Vec<(String, &Server)> = servers
            .iter()
            .filter(|(server, _)| case.has(server))
            .map(|(server, running)| (server.clone(), running))
            .collect();
        let all = on_core(Cores::split().client, || {
            rounds::interleave(name, &mut subjects, options.pick(2, 15), |_, server, _| {
                let outcome = load::run(&Plan {
                    protocol: Protocol::Http2,
                    connections,
                    in_flight: streams,
                    span: Span::Time(Duration::from_millis(options.pick(300, 1_000))),
                    pid: Some(server.pid()),
                    ..Plan::new(server.address, vec![case.ask()])
                })?
                .checked()?;
                Ok(Sample::new()
                    .with("CPU us", outcome.cpu_micros())
                    .with("requests/s", outcome.rate()))
            })
        })??;
        let whose = match way {
            Way::Down => "bytes",
            Way::Up => "bytes sent to the server",
        };
        let title =
            format!("{name}: {bytes} {whose}, {connections} connections with {streams} streams");
        report.series(name, &all)?;
        report.table(Table::of_series(
            &title,
            "server",
            &["CPU us", "requests/s"],
            &all,
            REFERENCE,
        ));
        if let (Some(ours), Some(hyper)) = (named(&all, "ours"), named(&all, REFERENCE)) {
            report.figure(
                format!("{name}: requests a second, of hyper's"),
                ours.ratio(hyper, "requests/s"),
                "x",
                Better::Higher,
            );
            report.figure(
                format!("{name}: CPU, of hyper's"),
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
