//! The command `load`: a load on any server of this machine, its answers checked, its memory watched.
//!
//! Every path is asked once before the load: its status must be the one that was named (200 unless written
//! `404:/path`), and every later answer must have that status and the same body length.

use std::{thread, time::Duration};

use clap::Args;
use hdrhistogram::Histogram;

use super::{Ask, Outcome, Pace, Plan, Protocol, Span, target::Target};
use crate::{process::Usage, report::number};

/// What to send.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server, such as `http://127.0.0.1:3000/`; only loopback addresses are accepted.
    #[arg(long)]
    pub(super) url: String,
    /// A path to ask for (repeatable); `404:/nowhere` expects that status. Default: the URL's own path.
    #[arg(long = "path")]
    pub(super) paths: Vec<String>,
    /// Requests in all.
    #[arg(long, default_value_t = 100_000, conflicts_with = "seconds")]
    pub(super) requests: u64,
    /// Seconds instead of a number of requests.
    #[arg(long)]
    pub(super) seconds: Option<f64>,
    /// Connections at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) connections: u16,
    /// Requests under way on each connection: pipelined, or streams with --h2.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) in_flight: u16,
    /// HTTP/2 over cleartext.
    #[arg(long)]
    pub(super) h2: bool,
    /// Requests a second, sent when they are due and timed from then. Default: as fast as answers come.
    #[arg(long)]
    pub(super) rate: Option<f64>,
    /// Threads to send from.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) threads: u16,
    /// Seconds of the same load beforehand, of which nothing is kept.
    #[arg(long, default_value_t = 0.0)]
    pub(super) warm_up: f64,
    /// Accept a body length other than the first answer's.
    #[arg(long)]
    pub(super) any_length: bool,
    /// The server's process: its CPU time and resident memory are read.
    #[arg(long)]
    pub(super) pid: Option<u32>,
    /// With --pid: fail when memory grew by more than this after the first tenth of the requests.
    #[arg(long, default_value_t = 16)]
    pub(super) growth_mib: u64,
}

/// Kinds of errors that are printed.
const MOST_LINES: usize = 20;

/// Runs the load and prints what came of it; errors and growth beyond the limit fail it.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut plan = plan(options)?;
    learn(&mut plan, options.any_length)?;
    let before = resident(options.pid)?;
    // The first tenth fills pools and caches; it is sent and checked like the rest, and then memory may not grow.
    let (first, rest) = match plan.span {
        Span::Requests(all) => (Span::Requests(all / 10), Span::Requests(all - all / 10)),
        Span::Time(all) => (Span::Time(all / 10), Span::Time(all - all / 10)),
    };
    let mut outcome = Outcome::new(plan.asks.len())?;
    let mut warm = before;
    for span in [first, rest] {
        if span == Span::Requests(0) {
            continue;
        }
        plan.span = span;
        let part = super::run(&plan)?;
        outcome.add(&part)?;
        outcome.elapsed += part.elapsed;
        outcome.cpu += part.cpu;
        if span == first {
            warm = resident(options.pid)?;
        }
        plan.warm_up = Duration::ZERO;
    }
    print(&outcome, &plan);
    let grown = memory(before, warm, resident(options.pid)?);
    verdict(&outcome, options, grown)
}

fn plan(options: &Options) -> Result<Plan, String> {
    let target = Target::parse(&options.url, &options.paths)?;
    let seconds = |value: f64| {
        Duration::try_from_secs_f64(value).map_err(|_| format!("`{value}` is no time in seconds"))
    };
    Ok(Plan {
        host: target.host,
        protocol: if options.h2 {
            Protocol::Http2
        } else {
            Protocol::Http1
        },
        connections: usize::from(options.connections),
        in_flight: usize::from(options.in_flight),
        pace: options
            .rate
            .map_or(Pace::Closed, |per_second| Pace::Constant { per_second }),
        span: match options.seconds {
            Some(value) => Span::Time(seconds(value)?),
            None => Span::Requests(options.requests),
        },
        warm_up: seconds(options.warm_up)?,
        threads: usize::from(options.threads),
        pid: options.pid,
        ..Plan::new(target.address, target.asks)
    })
}

/// Asks for every path once and keeps the lengths of the answers.
fn learn(plan: &mut Plan, any_length: bool) -> Result<(), String> {
    for index in 0..plan.asks.len() {
        let ask = plan.asks[index].clone();
        let once = Plan {
            host: plan.host.clone(),
            protocol: plan.protocol,
            span: Span::Requests(1),
            ..Plan::new(plan.address, vec![ask])
        };
        let outcome = super::run(&once)?.checked()?;
        plan.asks[index].length = (!any_length).then_some(outcome.bytes);
    }
    Ok(())
}

fn resident(pid: Option<u32>) -> Result<Option<u64>, String> {
    let Some(pid) = pid else { return Ok(None) };
    // What the last requests have left is given back a moment later.
    thread::sleep(Duration::from_millis(5));
    match Usage::of(pid).resident {
        0 => Err(format!("there is no process {pid}, or it may not be read")),
        bytes => Ok(Some(bytes)),
    }
}

fn verdict(outcome: &Outcome, options: &Options, grown: Option<u64>) -> Result<(), String> {
    let errors = outcome.error_count();
    if errors > 0 || (options.seconds.is_none() && outcome.answered != options.requests) {
        return Err(format!(
            "{errors} errors, {} of {} requests answered rightly",
            outcome.answered, options.requests
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

fn print(outcome: &Outcome, plan: &Plan) {
    let seconds = outcome.elapsed.as_secs_f64();
    println!(
        "{} requests answered rightly over {} connections with up to {} under way, {} paths, in {seconds:.2} s",
        outcome.answered,
        plan.connections,
        plan.in_flight,
        plan.asks.len()
    );
    println!(
        "{} requests/s, {} MB/s of bodies, {} reconnects",
        number(outcome.rate()),
        number(outcome.bytes as f64 / seconds / 1e6),
        outcome.reconnects
    );
    if plan.pid.is_some() {
        println!(
            "{} us of the server's CPU time a request",
            number(outcome.cpu_micros())
        );
    }
    println!("latency us: {}", percentiles(&outcome.latency));
    if plan.pace != Pace::Closed {
        println!(
            "of it after sending, as a closed loop counts: {}",
            percentiles(&outcome.service)
        );
    }
    if plan.asks.len() > 1 {
        let by_path = |(ask, seen): (&Ask, &Histogram<u64>)| {
            println!("  {}: {}", ask.path, percentiles(seen));
        };
        plan.asks.iter().zip(&outcome.by_ask).for_each(by_path);
    }
    for (error, count) in outcome.errors.iter().take(MOST_LINES) {
        println!("error: {count} times: {error}");
    }
    if outcome.errors.len() > MOST_LINES {
        println!(
            "error: and {} other kinds",
            outcome.errors.len() - MOST_LINES
        );
    }
}

fn percentiles(seen: &Histogram<u64>) -> String {
    let at = |percent: f64| number(seen.value_at_quantile(percent / 100.0) as f64 / 1e3);
    format!(
        "p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
        at(50.0),
        at(90.0),
        at(99.0),
        at(99.9),
        number(seen.max() as f64 / 1e3)
    )
}

/// Prints the three readings; returns the growth after the first tenth.
fn memory(before: Option<u64>, warm: Option<u64>, after: Option<u64>) -> Option<u64> {
    let (before, after) = (before?, after?);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let warm = warm.unwrap_or(before);
    println!(
        "resident memory MiB: {:.1} before, {:.1} after the first tenth, {:.1} at the end",
        mib(before),
        mib(warm),
        mib(after)
    );
    Some(after.saturating_sub(warm))
}
