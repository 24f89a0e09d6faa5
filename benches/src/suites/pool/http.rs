//! Bodies and JSON over HTTP: requests a second, latency and processor time beside axum's own extractors.

use std::time::Duration;

use super::{Allocator, server};
use crate::{
    load::{self, Ask, Plan, Span},
    process::{Cores, Server, on_core},
    report::{Better, Report, Table},
    rounds::{self, Sample, Series},
    suite::Options,
};

const CONNECTIONS: usize = 64;

/// The reference first, and last what only reads bodies.
const SERVERS: [&str; 4] = ["axum", "extractors", "layer", "floor"];
const JSON_SERVERS: &[&str] = SERVERS.split_at(3).0;

struct Case {
    name: String,
    ask: Ask,
    /// Those of [`SERVERS`] that are asked.
    servers: &'static [&'static str],
}

/// A chunked body of `size` bytes in `pieces` chunks.
pub(super) fn in_pieces(size: usize, pieces: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(size + 16 * pieces);
    let mut left = size;
    while left > 0 {
        let length = size.div_ceil(pieces).min(left);
        text.extend_from_slice(format!("{length:x}\r\n").as_bytes());
        text.resize(text.len() + length, b'x');
        text.extend_from_slice(b"\r\n");
        left -= length;
    }
    text.extend_from_slice(b"0\r\n\r\n");
    text
}

fn size_name(size: usize) -> String {
    match size {
        0..0x10_0000 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    }
}

fn cases() -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for size in server::SIZES {
        let name = size_name(size);
        cases.push(Case {
            name: format!("body {name}"),
            ask: Ask::post("/bytes", vec![b'x'; size]),
            servers: &SERVERS,
        });
        // 1,456 bytes are a segment of Ethernet; 4 KiB are usual for TLS and HTTP/2 stacks.
        let pieces = match size {
            0..0x1000 => 4,
            0x1000..0x10_0000 => 45,
            _ => 256,
        };
        cases.push(Case {
            name: format!("body {name} in {pieces} pieces"),
            ask: Ask::post("/bytes", in_pieces(size, pieces))
                .header("transfer-encoding", "chunked"),
            servers: &SERVERS,
        });
    }
    for size in server::SIZES {
        let name = size_name(size);
        let rows = server::rows(size);
        let text = serde_json::to_vec(&rows).map_err(|e| e.to_string())?;
        cases.push(Case {
            name: format!("JSON request {name}"),
            ask: Ask::post("/json", text).header("content-type", "application/json"),
            servers: JSON_SERVERS,
        });
        cases.push(Case {
            name: format!("JSON response {name}"),
            ask: Ask::get(format!("/rows/{size}")),
            servers: JSON_SERVERS,
        });
    }
    Ok(cases)
}

pub(super) fn run(options: &Options) -> Result<(), String> {
    let mut report = Report::new("pool-http");
    report.note(format!(
        "{CONNECTIONS} connections in a closed loop; the server's one thread and the load have a core each. `axum` has \
         axum's `Bytes` and `Json`, `extractors` has `PooledBytes` and `PooledJson`, `layer` has `PooledBodyLayer` above \
         them, and `floor` reads each frame of a body and drops it: faster than that nothing can assemble one. A body in \
         pieces is chunked; how a whole one falls into frames is up to hyper. Of a ratio less is better."
    ));
    let mut servers = Vec::new();
    for allocator in Allocator::all() {
        for what in SERVERS {
            servers.push((what, allocator.server(what)?));
        }
    }
    let rounds = options.pick(2, 7);
    let span = Duration::from_millis(options.pick(120, 500));
    let mut summary = Summary::default();
    // A trial has some of each kind: bodies whole and in pieces, JSON both ways.
    for case in cases()?.into_iter().step_by(options.pick(3, 1)) {
        let asked = servers
            .iter()
            .filter(|(what, _)| case.servers.contains(what));
        let mut asked: Vec<_> = asked
            .map(|(_, server)| (server.name.clone(), server))
            .collect();
        let all = on_core(Cores::split().client, || {
            rounds::interleave(&case.name, &mut asked, rounds, |_, server, _| {
                measure(server, &case.ask, span)
            })
        })??;
        tables(&mut report, &case, &all)?;
        summary.add(&mut report, &case, &all);
    }
    report.table(summary.table());
    report.finish(options)
}

/// What of a server's is compared with axum's, and which is better.
const COMPARED: [(&str, Better); 3] = [
    ("requests/s", Better::Higher),
    ("p99 us", Better::Lower),
    ("CPU us", Better::Lower),
];

/// Everything as multiples of axum's under the same allocator: a row a case and server, three columns an allocator.
#[derive(Default)]
struct Summary {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Summary {
    /// Adds a case, and its ratios to the figures of the report.
    fn add(&mut self, report: &mut Report, case: &Case, all: &[Series]) {
        let base = self.rows.len();
        self.header = vec!["of axum's".to_owned()];
        for allocator in all.chunks(case.servers.len()) {
            let [axum, others @ ..] = allocator else {
                continue;
            };
            let (_, allocator) = axum.name.split_once(", ").unwrap_or_default();
            for (metric, _) in COMPARED {
                self.header.push(format!("{metric}, {allocator}"));
            }
            for (index, other) in others.iter().enumerate() {
                let what = other.name.split(", ").next().unwrap_or_default();
                if self.rows.len() == base + index {
                    self.rows.push(vec![format!("{}: {what}", case.name)]);
                }
                for (metric, better) in COMPARED {
                    let ratio = other.ratio(axum, metric);
                    self.rows[base + index].push(format!("{:.2}x", ratio.middle));
                    let name = format!("{}: {}, {metric} of axum's", case.name, other.name);
                    report.figure(name, ratio, "x", better);
                }
            }
        }
    }

    fn table(self) -> Table {
        let mut table = Table::new("as multiples of axum's own extractors", &self.header);
        for row in self.rows {
            table.row(row);
        }
        table
    }
}

fn measure(server: &Server, ask: &Ask, span: Duration) -> Result<Sample, String> {
    let before = server.usage();
    let outcome = load::run(&Plan {
        connections: CONNECTIONS,
        span: Span::Time(span),
        pid: Some(server.pid()),
        ..Plan::new(server.address, vec![ask.clone()])
    })?
    .checked()?;
    let after = server.usage();
    let faults = after.minor_faults - before.minor_faults;
    Ok(Sample::new()
        .with("CPU us", outcome.cpu_micros())
        .with("requests/s", outcome.rate())
        .with("p99 us", outcome.latency_micros(0.99))
        .with("faults", faults as f64 / outcome.answered as f64)
        .with("MiB", after.resident as f64 / f64::from(1 << 20)))
}

fn tables(report: &mut Report, case: &Case, all: &[Series]) -> Result<(), String> {
    report.series(&case.name, all)?;
    let metrics = ["CPU us", "requests/s", "p99 us", "faults", "MiB"];
    for allocator in all.chunks(case.servers.len()) {
        let [axum, ..] = allocator else {
            continue;
        };
        // Titles tell the allocators apart as the servers' names do: `body 64 KiB, glibc`.
        let title = axum.name.replacen("axum", &case.name, 1);
        report.table(Table::of_series(
            title, "server", &metrics, allocator, &axum.name,
        ));
    }
    Ok(())
}
