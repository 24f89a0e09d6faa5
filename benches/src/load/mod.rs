//! The load driver: a bounded number of requests to a server on this machine, each answer checked.
//!
//! Every path is asked once before the load: its status must be the one that
//! was named (200 unless written `404:/path`), and every later answer must have
//! that status and the same body length. Connections are kept alive and opened
//! again when the server closes them between two requests, as HTTP/1.1 allows;
//! anything else that goes wrong is an error, and an error fails the run.

mod client;
mod memory;
mod target;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use clap::Args;
use hdrhistogram::Histogram;
use tokio::{runtime, task::JoinSet};

use client::Client;
use target::Target;

use crate::report::number;

/// What to send.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server, such as `http://127.0.0.1:3000/`; only loopback addresses are accepted.
    #[arg(long)]
    url: String,
    /// A path to ask for (repeatable); `404:/nowhere` expects that status. Default: the URL's own path.
    #[arg(long = "path")]
    paths: Vec<String>,
    /// Requests in all.
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    /// Connections at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Accept a body length other than the first answer's.
    #[arg(long)]
    any_length: bool,
    /// The server's process: its resident memory is read before, amid and after.
    #[arg(long)]
    pid: Option<u32>,
    /// With --pid: fail when memory grew by more than this after the first tenth of the requests.
    #[arg(long, default_value_t = 16)]
    growth_mib: u64,
}

/// No request may take longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// A server that fails this often is not asked further.
const MOST_ERRORS: u64 = 1_000;

/// Kinds of errors that are printed.
const MOST_LINES: usize = 20;

/// What the connections share.
struct Shared {
    target: Target,
    any_length: bool,
    total: u64,
    next: AtomicU64,
    failed: AtomicU64,
}

/// What one connection saw.
struct Seen {
    latency: Histogram<u64>,
    answered: u64,
    bytes: u64,
    reconnects: u64,
    errors: BTreeMap<String, u64>,
}

/// Runs the load and prints what came of it; errors and growth beyond the limit fail it.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut target = Target::parse(&options.url, &options.paths)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("tokio's runtime does not start: {e}"))?;
    runtime.block_on(async {
        target.learn().await?;
        drive(options, target).await
    })
}

async fn drive(options: &Options, target: Target) -> Result<(), String> {
    let shared = Arc::new(Shared {
        target,
        any_length: options.any_length,
        total: options.requests,
        next: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    let before = memory::of(options.pid)?;
    let start = Instant::now();
    let watch = tokio::spawn(memory::watch(options.pid, Arc::clone(&shared)));
    let mut workers = JoinSet::new();
    for worker in 0..u64::from(options.connections).min(options.requests) {
        workers.spawn(connection(Arc::clone(&shared), worker));
    }
    let mut seen = Seen::new()?;
    while let Some(result) = workers.join_next().await {
        seen.add(result.map_err(|e| format!("a connection's task died: {e}"))??)?;
    }
    let elapsed = start.elapsed();
    watch.abort();
    let warm = watch.await.ok().flatten();
    let after = memory::of(options.pid)?;
    seen.print(elapsed, options, &shared.target);
    let grown = memory::report(before, warm, after);
    verdict(&seen, options, grown)
}

fn verdict(seen: &Seen, options: &Options, grown: Option<u64>) -> Result<(), String> {
    let errors: u64 = seen.errors.values().sum();
    if errors > 0 || seen.answered != options.requests {
        return Err(format!(
            "{errors} errors, {} of {} requests answered rightly",
            seen.answered, options.requests
        ));
    }
    match grown {
        Some(bytes) if bytes > options.growth_mib << 20 => Err(format!(
            "the server's memory grew by {} MiB after the first tenth of the requests, more than {} MiB",
            bytes >> 20,
            options.growth_mib
        )),
        _ => Ok(()),
    }
}

/// One connection's share: takes the next request's number until all are taken.
async fn connection(shared: Arc<Shared>, worker: u64) -> Result<Seen, String> {
    let mut seen = Seen::new()?;
    let mut client = None;
    loop {
        let number = shared.next.fetch_add(1, Relaxed);
        if number >= shared.total || shared.failed.load(Relaxed) >= MOST_ERRORS {
            return Ok(seen);
        }
        // Neighbouring connections ask for different paths at the same time.
        let asks = &shared.target.asks;
        let ask = &asks[((number + worker) % asks.len() as u64) as usize];
        if client.as_ref().is_some_and(Client::is_closed) {
            client = None;
            seen.reconnects += 1;
        }
        let start = Instant::now();
        match exchange(&mut client, &shared, ask).await {
            Ok(length) => {
                seen.answered += 1;
                seen.bytes += length;
                seen.latency
                    .saturating_record(start.elapsed().as_micros() as u64);
            }
            Err(error) => {
                client = None;
                shared.failed.fetch_add(1, Relaxed);
                *seen.errors.entry(error).or_default() += 1;
            }
        }
    }
}

async fn exchange(
    client: &mut Option<Client>,
    shared: &Shared,
    ask: &target::Ask,
) -> Result<u64, String> {
    let attempt = async {
        let client = match client {
            Some(client) => client,
            None => client.insert(Client::connect(shared.target.address).await?),
        };
        client.get(&shared.target.host, &ask.path).await
    };
    let answer = tokio::time::timeout(DEADLINE, attempt)
        .await
        .map_err(|_| format!("{}: no answer within {DEADLINE:?}", ask.path))?
        .map_err(|e| format!("{}: {e}", ask.path))?;
    if answer.status != ask.status {
        return Err(format!("{}: status {}", ask.path, answer.status));
    }
    if !shared.any_length && answer.length != ask.length {
        return Err(format!(
            "{}: a body of {} bytes, the first answer had {}",
            ask.path, answer.length, ask.length
        ));
    }
    Ok(answer.length)
}

impl Seen {
    fn new() -> Result<Self, String> {
        Ok(Self {
            // Microseconds up to a minute, three digits.
            latency: Histogram::new_with_bounds(1, 60_000_000, 3).map_err(|e| e.to_string())?,
            answered: 0,
            bytes: 0,
            reconnects: 0,
            errors: BTreeMap::new(),
        })
    }

    fn add(&mut self, other: Self) -> Result<(), String> {
        self.latency
            .add(&other.latency)
            .map_err(|e| e.to_string())?;
        self.answered += other.answered;
        self.bytes += other.bytes;
        self.reconnects += other.reconnects;
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        Ok(())
    }

    fn print(&self, elapsed: Duration, options: &Options, target: &Target) {
        let seconds = elapsed.as_secs_f64();
        println!(
            "{} of {} requests answered rightly over {} connections, {} paths, in {seconds:.2} s",
            self.answered,
            options.requests,
            options.connections,
            target.asks.len()
        );
        println!(
            "{} requests/s, {} MB/s of bodies, {} reconnects",
            number(self.answered as f64 / seconds),
            number(self.bytes as f64 / seconds / 1e6),
            self.reconnects
        );
        let at = |percent: f64| self.latency.value_at_quantile(percent / 100.0);
        println!(
            "latency us: p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
            at(50.0),
            at(90.0),
            at(99.0),
            at(99.9),
            self.latency.max()
        );
        for (error, count) in self.errors.iter().take(MOST_LINES) {
            println!("error: {count} times: {error}");
        }
        if self.errors.len() > MOST_LINES {
            println!("error: and {} other kinds", self.errors.len() - MOST_LINES);
        }
    }
}
