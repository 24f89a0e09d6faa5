//! More work than can be done: the management port beside a busy public one, and the limits at three times the load that the
//! backend takes.

use std::{net::SocketAddr, thread, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{
    clients,
    server::{PLACES, TARGET},
    start,
};
use crate::{
    load::{self, Ask, Outcome, Pace, Plan, Span},
    plot::{Plot, Scale},
    process::{Cores, among_others, free_address, on_core},
    report::{Report, Table, number},
    suite::Options,
};

/// `/healthz` on new connections, while 256 clients ask for 2 ms of computing each in a closed loop.
pub(super) fn management(options: &Options, report: &mut Report) -> Result<(), String> {
    let management = free_address()?;
    let text = management.to_string();
    let server = start("ours", &["managed", &text])?;
    if options.priority {
        among_others(server.pid())?;
    }
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
        let answered: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        report.rows(&[
            json!({ "case": "management", "asked": name, "times": asked, "answered ms": answered }),
        ])?;
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

/// A backend with ten places at three times what it can do. What it can do is measured first, by a closed loop without any limit
/// in front. The backend waits and does not compute, and everybody else has a core, so that only the places are scarce. An
/// answer within 100 ms of when its request was due is good; a request may be turned away by 503.
pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    let peak = peak(options)?;
    let mut table = Table::new(
        format!(
            "Three times the load that can be answered, which is {} requests a second",
            number(peak)
        ),
        &[
            "server",
            "good answers/s",
            "of the peak",
            "p99 of answers ms",
            "turned away",
        ],
    );
    let mut curves = Vec::new();
    let kinds = [
        ("adaptive", "adaptive limit, CoDel queue", "ours"),
        ("tower", "ConcurrencyLimit(10) + LoadShed", "tower"),
        ("axum", "nothing", "axum"),
    ];
    for (kind, title, _) in kinds.iter().filter(|(_, _, peer)| options.wants_peer(peer)) {
        let server = start(kind, &["overload"])?;
        let (warm_up, seconds) = options.pick((1, 2), (3, 8));
        let outcome = overload(server.address, 3.0 * peak, warm_up, seconds)?;
        let good = outcome.latency.count_between(0, nanos(TARGET)) as f64 / seconds as f64;
        let asked = outcome.answered + outcome.refused;
        table.row(vec![
            (*title).to_owned(),
            number(good),
            format!("{:.0} %", 100.0 * good / peak),
            number(outcome.latency_micros(0.99) / 1e3),
            format!("{:.0} %", 100.0 * outcome.refused as f64 / asked as f64),
        ]);
        report.rows(&[json!({
            "case": "overload", "server": title, "peak/s": peak, "good/s": good, "seen": outcome.summary(),
        })])?;
        curves.push(((*title).to_owned(), Outcome::curve(&outcome.latency)));
    }
    report.table(table);
    report.plot(
        "overload",
        Plot::percentiles(
            "Answers at three times the load that can be answered, from when they were due",
            ("us", Scale::Logarithmic),
            curves,
        ),
    );
    Ok(())
}

/// The most good answers a second that the backend gives.
fn peak(options: &Options) -> Result<f64, String> {
    let server = start("axum", &["overload"])?;
    let seconds = options.pick(2, 5);
    let plan = Plan {
        connections: 2 * PLACES,
        span: Span::Time(Duration::from_secs(seconds)),
        warm_up: Duration::from_secs(1),
        ..Plan::new(server.address, vec![Ask::get("/backend").length(4)])
    };
    let outcome = on_core(Cores::split().client, || load::run(&plan))??.checked()?;
    Ok(outcome.latency.count_between(0, nanos(TARGET)) as f64 / outcome.elapsed.as_secs_f64())
}

/// The load that is measured follows on one of the same kind, in which limits find themselves.
fn overload(
    server: SocketAddr,
    per_second: f64,
    warm_up: u64,
    seconds: u64,
) -> Result<Outcome, String> {
    let plan = Plan {
        connections: 1000,
        pace: Pace::Constant { per_second },
        span: Span::Time(Duration::from_secs(seconds)),
        warm_up: Duration::from_secs(warm_up),
        deadline: Duration::from_secs(30),
        ..Plan::new(server, vec![Ask::get("/backend").length(4).or_refused(503)])
    };
    on_core(Cores::split().client, || load::run(&plan))??.checked()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
