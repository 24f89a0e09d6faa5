//! Idle keep-alive connections: what each costs, and what it takes to close 10,000 of them beside active ones.
//!
//! Where a process may not have descriptors enough, several servers hold a part each; the clients are other processes.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{
    clients,
    honest::{CONNECTIONS, Clients, Seen},
    server::set_descriptors,
    start,
};
use crate::{
    process::{Awake, Cores, Server, Usage, announce, on_core},
    report::{Report, Table, number},
    suite::Options,
};

/// Descriptors that a process needs beside those of its connections.
const OTHERS: usize = 500;

pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    let wanted: usize = options.pick(5_000, 50_000);
    let may = usize::try_from(set_descriptors(u64::MAX)?).unwrap_or(usize::MAX);
    let pairs = wanted.div_ceil(may.saturating_sub(OTHERS).max(1));
    if pairs > 1 {
        report.note(format!(
            "{wanted} idle connections: in {pairs} servers, since a process may have {may} descriptors here."
        ));
    }
    let mut table = Table::new(
        format!("{wanted} idle connections"),
        &[
            "server",
            "held",
            "KiB resident each",
            "CPU us each to accept and answer",
        ],
    );
    for name in ["axum", "ours"]
        .into_iter()
        .filter(|name| options.wants_peer(name))
    {
        let pairs = (0..pairs)
            .map(|part| Pair::start(name, wanted * (part + 1) / pairs - wanted * part / pairs))
            .collect::<Result<Vec<_>, _>>()?;
        let held: u64 = pairs.iter().map(Pair::held).sum();
        let resident: u64 = pairs.iter().map(Pair::resident).sum();
        let cpu: Duration = pairs.iter().map(Pair::cpu).sum();
        table.row(vec![
            name.to_owned(),
            held.to_string(),
            number(resident as f64 / held as f64 / 1024.0),
            number(cpu.as_secs_f64() * 1e6 / held as f64),
        ]);
        report.rows(&[json!({
            "case": "idle", "server": name, "held": held, "resident bytes": resident,
            "CPU us": cpu.as_secs_f64() * 1e6,
        })])?;
        if name == "ours" {
            reclaim_all(&pairs, options, report)?;
        }
    }
    report.table(table);
    Ok(())
}

/// A server and the clients that stay connected to it, until this is dropped.
struct Pair {
    server: Server,
    before: Usage,
    after: Usage,
    _clients: Server,
}

impl Pair {
    fn start(kind: &str, count: usize) -> Result<Self, String> {
        let server = start(kind, &["idle"])?;
        let before = server.usage();
        let (address, count) = (server.address.to_string(), count.to_string());
        let core = Cores::split().client.to_string();
        let clients = start("clients", &[&address, &count, &core])?;
        let after = server.usage();
        Ok(Self {
            server,
            before,
            after,
            _clients: clients,
        })
    }

    fn held(&self) -> u64 {
        self.after
            .descriptors
            .saturating_sub(self.before.descriptors)
    }

    fn resident(&self) -> u64 {
        self.after.resident.saturating_sub(self.before.resident)
    }

    fn cpu(&self) -> Duration {
        self.after.cpu.saturating_sub(self.before.cpu)
    }
}

/// The clients' process: `ADDRESS COUNT CORE`. It announces the server's address once all connections have had an answer, and
/// holds them until its driver lets go of it.
pub(super) fn clients(arguments: &[String]) -> Result<(), String> {
    let [address, count, core] = arguments else {
        return Err("clients need an address, their number and a core".into());
    };
    let server: SocketAddr = address
        .parse()
        .map_err(|_| format!("no address: {address}"))?;
    let count: usize = count.parse().map_err(|_| format!("no number: {count}"))?;
    let core: usize = core.parse().map_err(|_| format!("no core: {core}"))?;
    set_descriptors(u64::MAX)?;
    let held = on_core(core, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        Ok::<_, String>(runtime.block_on(hold(server, count)))
    })??;
    if held.len() < count {
        return Err(format!("only {} of {count} connections", held.len()));
    }
    announce(server);
    loop {
        // `announce` ends the process.
        thread::park();
    }
}

/// Connections that have had an answer.
async fn hold(server: SocketAddr, count: usize) -> Vec<std::net::TcpStream> {
    let mut held = Vec::new();
    for number in 0..count {
        if let Some(mut io) = clients::connect(server, number).await
            && io.write_all(clients::GET).await.is_ok()
            && clients::answer(&mut io, Duration::from_secs(5))
                .await
                .is_some()
            && let Ok(io) = io.into_std()
        {
            held.push(io);
        }
    }
    held
}

/// Of each pair 10,000 are closed.
fn reclaim_all(pairs: &[Pair], options: &Options, report: &mut Report) -> Result<(), String> {
    let count = (pairs[0].held() * 4 / 5).min(10_000);
    let mut table = Table::new(
        format!("{count} idle connections closed beside 500 active requests a second"),
        &[
            "took s",
            "CPU ms",
            "p99 ms of active requests before",
            "p99 ms meanwhile",
        ],
    );
    for pair in pairs {
        let Reclaim {
            mut quiet,
            mut disturbed,
            took,
            cpu,
        } = reclaim(pair, count, options)?;
        report.rows(&[json!({
            "case": "reclaim", "closed": count, "took s": took.as_secs_f64(), "CPU ms": cpu.as_secs_f64() * 1e3,
            "before": quiet.summary(), "meanwhile": disturbed.summary(),
        })])?;
        table.row(vec![
            number(took.as_secs_f64()),
            number(cpu.as_secs_f64() * 1e3),
            number(quiet.at(0.99)),
            number(disturbed.at(0.99)),
        ]);
    }
    report.table(table);
    Ok(())
}

struct Reclaim {
    quiet: Seen,
    disturbed: Seen,
    took: Duration,
    /// The server's, without what the active requests took before.
    cpu: Duration,
}

/// So many of a pair's connections are closed, which is spread over some seconds, while active requests go on.
fn reclaim(pair: &Pair, count: u64, options: &Options) -> Result<Reclaim, String> {
    let address = pair.server.address;
    let pid = pair.server.pid();
    // Shorter than the reclaim takes.
    let length = Duration::from_secs(options.pick(1, 4));
    let Cores { server, client } = Cores::split();
    let _awake = Awake::keep(&[server, client])?;
    let begun = Usage::of(pid);
    let quiet = active(address, length, options.priority)?;
    let quiet_cpu = Usage::of(pid).cpu - begun.cpu;
    let reclaimed = thread::spawn(move || {
        let path = format!("/reclaim/{count}");
        let before = Usage::of(pid);
        let begun = Instant::now();
        let asked = clients::run(clients::visit(address, &path, Duration::from_secs(30)))?;
        asked.ok_or("the reclaim was not answered")?;
        let left = before.descriptors.saturating_sub(count) + 20;
        while descriptors(pid).map_err(|e| e.to_string())? > left
            && begun.elapsed() < Duration::from_secs(30)
        {
            thread::sleep(Duration::from_millis(100));
        }
        Ok::<_, String>(begun.elapsed())
    });
    let before = Usage::of(pid);
    let disturbed = active(address, length, options.priority)?;
    let took = reclaimed.join().map_err(|_| "the reclaim failed")??;
    let cpu = (Usage::of(pid).cpu - before.cpu).saturating_sub(quiet_cpu);
    Ok(Reclaim {
        quiet,
        disturbed,
        took,
        cpu,
    })
}

/// The number of open descriptors, without a walk (Linux 6.2).
fn descriptors(pid: u32) -> io::Result<u64> {
    Ok(std::fs::metadata(format!("/proc/{pid}/fd"))?.len())
}

/// 500 requests a second. That one fails is the suite's failure.
fn active(server: SocketAddr, length: Duration, priority: bool) -> Result<Seen, String> {
    let ready = Arc::new(Barrier::new(CONNECTIONS as usize));
    let clients = Clients::connect(server)?;
    let ask = || clients.ask(length, priority, &ready);
    let seen = on_core(Cores::split().client, ask)??;
    match seen.failures {
        0 => Ok(seen),
        failures => Err(format!("{failures} active requests failed")),
    }
}
