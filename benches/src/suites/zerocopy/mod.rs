//! Static files beside `ServeDir` and the file servers people run.
//!
//! The work is the same for everyone: keep-alive connections over loopback, each with one request under way, fetch
//! one file of each size as fast as they can; the client sends its next request when the answer has come, and has the
//! kernel throw the body away unseen, so that the server is never the idle half. Each server has one
//! worker on the server's core and sends with `TCP_NODELAY`; `ServeDir` is given it, since axum's listener sets none and
//! it would otherwise wait 40 ms for acknowledgements. What counts is the server's time on its core.
//!
//! Two more cases time a 1 KiB request beside something heavier: *fairness*, while four connections loop the
//! 100 MiB file, and *cold*, while one connection fetches a large file of which no page is in memory, from a device that
//! is throttled where the machine lets us.

mod beside;
mod client;
mod hot;
mod servers;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use self::{client::Client, servers::PEERS};
use crate::{
    plot::{Curve, Plot, Scale},
    process::{Cores, Server, on_core},
    report::{Better, Report, Table},
    rounds::{self, Sample, Series},
    suite::{Options, Suite},
};

/// The name the others are compared with.
const REFERENCE: &str = "ServeDir";

const CPU: &str = "CPU us";
const RATE: &str = "requests/s";
const PER_GB: &str = "CPU s/GB";

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "zerocopy",
    "Static files beside ServeDir, nginx, lighttpd and caddy",
    run,
)
.peers(&PEERS)
.cases(&[
    "1 KiB", "16 KiB", "64 KiB", "256 KiB", "1 MiB", "100 MiB", "fairness", "cold",
])
.hot_paths(hot::paths)
.serve(servers::serve);

/// A size that is measured.
struct Size {
    case: &'static str,
    file: &'static str,
    len: usize,
    connections: usize,
}

const SIZES: [Size; 6] = [
    Size::new("1 KiB", "1k", 1 << 10, 32),
    Size::new("16 KiB", "16k", 16 << 10, 32),
    Size::new("64 KiB", "64k", 64 << 10, 32),
    Size::new("256 KiB", "256k", 256 << 10, 16),
    Size::new("1 MiB", "1m", 1 << 20, 8),
    Size::new("100 MiB", "100m", 100 << 20, 4),
];

impl Size {
    const fn new(case: &'static str, file: &'static str, len: usize, connections: usize) -> Self {
        Self {
            case,
            file,
            len,
            connections,
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let site = Site::make()?;
    let mut servers = servers::start(options, &site)?;
    let mut report = Report::new("zerocopy");
    report.note(
        "Microseconds of the server's CPU a request, requests a second, CPU seconds a gigabyte. One worker on a core of its \
         own, the client on another; 32 connections up to 64 KiB, then 16, 8 and 4. `x` is the share of ServeDir's CPU.",
    );
    let mut curves: Vec<Curve> = Vec::new();
    for size in SIZES.iter().filter(|size| options.wants_case(size.case)) {
        for series in measure(options, &mut servers, size, &mut report)? {
            let point = (size.len as f64, series.median(CPU));
            match curves.iter_mut().find(|(name, _)| *name == series.name) {
                Some((_, points)) => points.push(point),
                None => curves.push((series.name, vec![point])),
            }
        }
    }
    if !curves.is_empty() {
        let plot = Plot::curves(
            "CPU time of a request by the size of the file",
            ("bytes", Scale::Logarithmic),
            ("us", Scale::Logarithmic),
            curves,
        );
        report.plot("cost", plot);
    }
    if options.wants_case("fairness") {
        beside::fairness(options, &mut servers, &mut report)?;
    }
    if options.wants_case("cold") {
        beside::cold(options, &mut servers, &site, &mut report)?;
    }
    report.finish(options)
}

fn measure(
    options: &Options,
    servers: &mut [(String, Server)],
    size: &Size,
    report: &mut Report,
) -> Result<Vec<Series>, String> {
    let span = Duration::from_millis(options.pick(100, 500));
    let all = on_core(Cores::split().client, || {
        rounds::interleave(size.case, servers, options.pick(2, 15), |_, server, _| {
            fetch_for(server, size, span).map_err(|e| e.to_string())
        })
    })??;
    report.series(size.case, &all)?;
    report.table(Table::of_series(
        size.case,
        "server",
        &[CPU, RATE, PER_GB],
        &all,
        REFERENCE,
    ));
    let named = |name: &str| all.iter().find(|series| series.name == name);
    if let Some(ours) = named(servers::OURS) {
        for other in [REFERENCE, servers::NGINX_TUNED, servers::LIGHTTPD] {
            if let Some(other) = named(other) {
                let name = format!("{}: CPU, of {}'s", size.case, other.name);
                report.figure(name, ours.ratio(other, CPU), "x", Better::Lower);
            }
        }
    }
    Ok(all)
}

fn fetch_for(server: &Server, size: &Size, span: Duration) -> io::Result<Sample> {
    let connect = |_| Client::new(server.address, size.file);
    let mut clients: Vec<Client> = (0..size.connections)
        .map(connect)
        .collect::<io::Result<_>>()?;
    for client in &mut clients {
        client.fetch(size.len)?;
    }
    for client in &mut clients {
        client.send()?;
    }
    let (before, begin, mut requests) = (server.usage().cpu, Instant::now(), 0usize);
    while begin.elapsed() < span {
        for client in &mut clients {
            client.receive(size.len)?;
            client.send()?;
        }
        requests += clients.len();
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let cpu = (server.usage().cpu - before).as_secs_f64() / requests as f64;
    Ok(Sample::new()
        .with(CPU, cpu * 1e6)
        .with(RATE, requests as f64 / elapsed)
        .with(PER_GB, cpu / size.len as f64 * 1e9))
}

/// The folder that everyone serves, deleted at the end.
struct Site(PathBuf);

impl Site {
    fn make() -> Result<Self, String> {
        let name = format!("tower-zerocopy-fs-bench-{}", std::process::id());
        let site = Self(std::env::temp_dir().join(name));
        site.fill()
            .map_err(|e| format!("cannot make {}: {e}", site.0.display()))?;
        Ok(site)
    }

    fn fill(&self) -> io::Result<()> {
        fs::create_dir_all(self.root())?;
        for size in &SIZES {
            fs::write(self.root().join(size.file), vec![b'x'; size.len])?;
        }
        Ok(())
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    /// For what servers want to have written somewhere.
    fn scratch(&self) -> &Path {
        &self.0
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
