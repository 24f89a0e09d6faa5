//! More work than can be done: the management port beside a busy public one, and the limits at three times the load that the
//! backend takes.

use std::{net::SocketAddr, thread, time::Duration};

use tokio::time::Instant;

use super::{clients, start};
use crate::{
    load::{self, Ask, Pace, Plan, Span},
    process::{Cores, free_address, on_core},
    report::{Report, Table, number},
    suite::Options,
};

/// `/healthz` on new connections, while 256 clients ask for 2 ms of computing each in a closed loop.
pub(super) fn management(options: &Options, report: &mut Report) -> Result<(), String> {
    let management = free_address()?;
    let text = management.to_string();
    let server = start("ours", &["managed", &text])?;
    let seconds = options.pick(2, 10);
    let mut table = Table::new(
        "Health checks while the public port is at 100 % CPU",
        &["asked", "answered", "p50 ms", "p99 ms"],
    );
    for (name, address) in [
        ("management port", management),
        ("public port", server.address),
    ] {
        let checks = thread::spawn(move || clients::run(check(address, seconds)));
        let plan = Plan {
            connections: 256,
            // The checks begin half a second later and end before.
            span: Span::Time(Duration::from_secs(seconds + 2)),
            deadline: Duration::from_secs(30),
            ..Plan::new(server.address, vec![Ask::get("/burn")])
        };
        on_core(Cores::split().client, || load::run(&plan))??.checked()?;
        let (asked, mut times) = checks.join().map_err(|_| "the checks failed")??;
        table.row(vec![
            name.to_owned(),
            format!("{} of {asked}", times.len()),
            number(clients::millis(&mut times, 0.5)),
            number(clients::millis(&mut times, 0.99)),
        ]);
    }
    report.table(table);
    Ok(())
}

/// Up to fifty checks a second, one after the other; how many, and how long those took that were answered.
async fn check(server: SocketAddr, seconds: u64) -> (usize, Vec<Duration>) {
    let mut times = Vec::new();
    let mut asked = 0;
    let mut next = Instant::now() + Duration::from_millis(500);
    let end = next + Duration::from_secs(seconds);
    while Instant::now() < end {
        tokio::time::sleep_until(next).await;
        next = Instant::now() + Duration::from_millis(20);
        asked += 1;
        times.extend(clients::visit(server, "/healthz", Duration::from_secs(5)).await);
    }
    (asked, times)
}

/// What a client waits for.
const TARGET: Duration = Duration::from_millis(100);

/// A backend that takes 1,000 requests a second, at that rate and at 3,000; answers within 100 ms are good.
pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    let mut table = Table::new(
        "3,000 requests a second for 1,000 that can be answered",
        &[
            "server",
            "good answers/s at 1,000/s",
            "good answers/s at 3,000/s",
            "p99 of answers ms at 3,000/s",
        ],
    );
    let kinds = [
        ("adaptive", "adaptive limit, CoDel queue", "ours"),
        ("tower", "ConcurrencyLimit(10) + LoadShed", "tower"),
        ("axum", "nothing", "axum"),
    ];
    for (kind, title, _) in kinds.iter().filter(|(_, _, peer)| options.wants_peer(peer)) {
        let server = start(kind, &["overload"])?;
        let (peak, _) = good(server.address, 1000.0, options.pick(3, 10))?;
        let (goodput, p99) = good(server.address, 3000.0, options.pick(3, 10))?;
        table.row(vec![
            (*title).to_owned(),
            number(peak),
            number(goodput),
            number(p99),
        ]);
    }
    report.table(table);
    Ok(())
}

/// Answers a second within the target, and the p99 of all answers in milliseconds.
fn good(server: SocketAddr, per_second: f64, seconds: u64) -> Result<(f64, f64), String> {
    let plan = Plan {
        connections: 1000,
        pace: Pace::Constant { per_second },
        span: Span::Time(Duration::from_secs(seconds)),
        warm_up: Duration::from_secs(2),
        deadline: Duration::from_secs(30),
        ..Plan::new(server, vec![Ask::get("/backend").length(4)])
    };
    let outcome = on_core(Cores::split().client, || load::run(&plan))??;
    let target = u64::try_from(TARGET.as_nanos()).unwrap_or(u64::MAX);
    let good = outcome.latency.count_between(0, target) as f64;
    Ok((good / seconds as f64, outcome.latency_micros(0.99) / 1e3))
}
