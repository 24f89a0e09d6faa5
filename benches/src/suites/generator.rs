//! The load generator itself: beside wrk over HTTP/1.1 and h2load over HTTP/2, and what a stalling server does to each.
//!
//! Rates must agree within 5 %, or the suite fails (a trial only says so): the same server, the same connections, requests under way and
//! span, in interleaved rounds, server and load on a core each. Then the server stands still for 200 ms in every
//! second: a closed loop, as wrk has it, meets each stall with one request a connection; a plan of requests made
//! beforehand meets it with all that were due, and only its percentiles tell what users would have waited.

use std::{
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use serde_json::json;
use tokio::{net::TcpListener, runtime};

use crate::{
    load::{self, Ask, Outcome, Pace, Plan, Protocol, Span},
    plot::{Plot, Scale},
    process::{Cores, Server, announce, on_core},
    report::{Better, Report, Table, number},
    rounds::{self, Sample, Series},
    suite::{Options, Suite},
    tools,
};

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "generator",
    "The load generator beside wrk and h2load, and before a server that stalls",
    run,
)
.cases(&["wrk", "h2load", "stall"])
.serve(serve);

/// How far a rate may be from the other generator's.
const AGREEMENT: f64 = 0.05;
const CONNECTIONS: usize = 32;
const STREAMS: usize = 8;
/// Of a round; the others only take whole seconds.
const SPAN: Duration = Duration::from_secs(1);
const STALL: Duration = Duration::from_millis(200);
const STALL_EVERY: Duration = Duration::from_secs(1);
/// Few enough that the server keeps up between the stalls.
const RATE: f64 = 2_000.0;

fn run(options: &Options) -> Result<(), String> {
    let mut report = Report::new("generator");
    report.note(
        "Rates of the load generator beside those of wrk and h2load, on one server (axum, one thread): they must agree within 5 %. \
         Then a server that stands still for 200 ms in every second, seen by a closed loop and by a plan of 2,000 requests a second.",
    );
    let server = Server::ours("axum", "generator", &["steady"])?;
    let mut faults = Vec::new();
    let others = [("wrk", Protocol::Http1), ("h2load", Protocol::Http2)];
    for (other, protocol) in others {
        if !options.wants_case(other) {
            continue;
        }
        let Some(program) = tools::find(other) else {
            continue;
        };
        let all = rates(&server, other, &program, protocol, options)?;
        report.series(other, &all)?;
        let title = format!("the same load by {other}");
        report.table(Table::of_series(
            title,
            "generator",
            &["requests/s", "CPU us"],
            &all,
            other,
        ));
        let ratio = all[0].ratio(&all[1], "requests/s");
        report.figure(format!("rate, of {other}'s"), ratio, "x", Better::Higher);
        if (ratio.middle - 1.0).abs() > AGREEMENT {
            let fault = format!(
                "{:.3} times {other}'s rate ({:.3} to {:.3}): they should agree within {:.0} %",
                ratio.middle,
                ratio.low,
                ratio.high,
                AGREEMENT * 100.0
            );
            // A trial has few rounds, perhaps on a machine in use, which slows one of them more than the other.
            if options.quick {
                println!("ATTENTION: {fault}");
            } else {
                faults.push(fault);
            }
        }
    }
    drop(server);
    if options.wants_case("stall") {
        faults.extend(stalls(options, &mut report)?);
    }
    report.finish(options)?;
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

/// A server on one thread that answers at once; `stalling`, it stands still now and then, whatever is asked.
fn serve(arguments: &[String]) -> Result<(), String> {
    let stalling = arguments.iter().any(|word| word == "stalling");
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(|e| e.to_string())?;
        announce(listener.local_addr().map_err(|e| e.to_string())?);
        if stalling {
            tokio::spawn(async {
                let mut next = tokio::time::interval(STALL_EVERY);
                next.tick().await;
                loop {
                    next.tick().await;
                    // The thread, and with it the server.
                    thread::sleep(STALL);
                }
            });
        }
        let app = Router::new().route("/", get(|| async { "Hello, World!" }));
        axum::serve(listener, app).await.map_err(|e| e.to_string())
    })
}

/// Interleaved rounds of ours and the other generator.
fn rates(
    server: &Server,
    other: &str,
    program: &PathBuf,
    protocol: Protocol,
    options: &Options,
) -> Result<Vec<Series>, String> {
    let mut subjects = [("ours".to_owned(), true), (other.to_owned(), false)];
    let rounds = options.pick(3, 11);
    on_core(Cores::split().client, || {
        rounds::interleave(other, &mut subjects, rounds, |_, ours, _| {
            let before = server.usage().cpu;
            let (rate, answered) = if *ours {
                let outcome = load::run(&plan(server, protocol))?.checked()?;
                (outcome.rate(), outcome.answered as f64)
            } else {
                by_other(server, other, program)?
            };
            let cpu = (server.usage().cpu - before).as_secs_f64();
            Ok(Sample::new()
                .with("requests/s", rate)
                .with("CPU us", cpu * 1e6 / answered))
        })
    })?
}

fn plan(server: &Server, protocol: Protocol) -> Plan {
    Plan {
        protocol,
        connections: CONNECTIONS,
        in_flight: if protocol == Protocol::Http1 {
            1
        } else {
            STREAMS
        },
        span: Span::Time(SPAN),
        ..Plan::new(server.address, vec![Ask::get("/").length(13)])
    }
}

/// The rate and the number of answers that the other generator reports.
fn by_other(server: &Server, other: &str, program: &PathBuf) -> Result<(f64, f64), String> {
    let seconds = SPAN.as_secs().to_string();
    let connections = CONNECTIONS.to_string();
    let streams = STREAMS.to_string();
    let url = format!("http://{}/", server.address);
    let mut command = Command::new(program);
    match other {
        "wrk" => command.args(["-t", "1", "-c", &connections, "-d", &seconds, &url]),
        _ => command.args([
            "-t",
            "1",
            "-c",
            &connections,
            "-m",
            &streams,
            "-D",
            &seconds,
            &url,
        ]),
    };
    let out = command.output().map_err(|e| format!("{other}: {e}"))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let found = match other {
        "wrk" => wrk_says(&text),
        _ => h2load_says(&text),
    };
    found.ok_or_else(|| format!("{other} said what is not understood here:\n{text}"))
}

/// `Requests/sec: 12345.67`, and `37037 requests in 3.00s, …`.
fn wrk_says(text: &str) -> Option<(f64, f64)> {
    let rate = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"))?;
    let answered = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in ").map(|found| found.0))?;
    Some((rate.trim().parse().ok()?, answered.parse().ok()?))
}

/// `finished in 3.00s, 12345.67 req/s, 1.2MB/s`, and `requests: 9 total, 9 started, 9 done, 9 succeeded, …`.
fn h2load_says(text: &str) -> Option<(f64, f64)> {
    let finished = text.lines().find(|line| line.starts_with("finished in"))?;
    let rate = finished
        .split(", ")
        .find_map(|part| part.strip_suffix(" req/s"))?;
    let requests = text.lines().find(|line| line.starts_with("requests:"))?;
    let answered = requests
        .split(", ")
        .find_map(|part| part.strip_suffix(" succeeded"))?;
    Some((rate.parse().ok()?, answered.parse().ok()?))
}

/// What each kind of load sees of the same stalls; what is wrong with that.
fn stalls(options: &Options, report: &mut Report) -> Result<Vec<String>, String> {
    let server = Server::ours("stalling", "generator", &["stalling"])?;
    let seconds = options.pick(4, 10);
    let load = |pace| {
        on_core(Cores::split().client, || {
            load::run(&Plan {
                pace,
                connections: CONNECTIONS,
                span: Span::Time(Duration::from_secs(seconds)),
                ..Plan::new(server.address, vec![Ask::get("/").length(13)])
            })?
            .checked()
        })?
    };
    let closed = load(Pace::Closed)?;
    let planned = load(Pace::Constant { per_second: RATE })?;
    let wrk = match tools::find("wrk") {
        Some(program) => wrk_percentiles(&server, &program, seconds)?,
        None => Vec::new(),
    };
    let mut table = Table::new(
        "a server that stands still for 200 ms in every second: milliseconds",
        &["load", "p50", "p90", "p99", "max"],
    );
    let quantiles = [0.5, 0.9, 0.99, 1.0];
    let mut row = |name: &str, at: &dyn Fn(f64) -> f64| {
        let cells = quantiles.iter().map(|&q| number(at(q)));
        table.row([name.to_owned()].into_iter().chain(cells).collect());
    };
    let millis = |outcome: &Outcome, q: f64| outcome.latency_micros(q) / 1e3;
    if let [_, ..] = wrk.as_slice() {
        row("wrk: closed loop", &|q| {
            wrk.iter()
                .find(|(known, _)| *known == q)
                .map_or(f64::NAN, |found| found.1)
        });
    }
    row("ours: closed loop", &|q| millis(&closed, q));
    row("ours: 2,000/s, from when they were due", &|q| {
        millis(&planned, q)
    });
    row("the same, from when they were sent", &|q| {
        planned.service.value_at_quantile(q) as f64 / 1e6
    });
    report.table(table);
    report.rows(&[
        json!({ "case": "stall", "load": "closed", "seen": closed.summary() }),
        json!({ "case": "stall", "load": "planned", "seen": planned.summary() }),
        json!({ "case": "stall", "load": "wrk", "quantiles and ms": wrk }),
    ])?;
    let curves = vec![
        ("closed loop".to_owned(), Outcome::curve(&closed.latency)),
        (
            "2,000/s, from when due".to_owned(),
            Outcome::curve(&planned.latency),
        ),
    ];
    report.plot(
        "stall",
        Plot::percentiles("A server that stalls", ("us", Scale::Linear), curves),
    );
    // A fifth of all requests is due within a stall, half of them more than 100 ms before its end.
    let hidden = millis(&closed, 0.9) < 50.0;
    let shown = millis(&planned, 0.9) > 50.0;
    Ok(match (hidden, shown) {
        (true, true) => Vec::new(),
        _ => vec![format!(
            "the stalls should show at the 90th percentile of the plan, and not of the closed loop: {} and {} ms",
            number(millis(&planned, 0.9)),
            number(millis(&closed, 0.9))
        )],
    })
}

/// What wrk reports: (quantile, milliseconds).
fn wrk_percentiles(
    server: &Server,
    program: &PathBuf,
    seconds: u64,
) -> Result<Vec<(f64, f64)>, String> {
    let begin = Instant::now();
    let out = on_core(Cores::split().client, || {
        Command::new(program)
            .args(["--latency", "-t", "1", "-c", &CONNECTIONS.to_string()])
            .args(["-d", &seconds.to_string()])
            .arg(format!("http://{}/", server.address))
            .output()
    })?
    .map_err(|e| format!("wrk: {e}"))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let found = percentiles_of_wrk(&text);
    if found.is_empty() {
        let took = begin.elapsed();
        return Err(format!("wrk reported no latencies after {took:?}:\n{text}"));
    }
    Ok(found)
}

/// Lines `99%  1.23ms` and, of `Latency  avg  stdev  max  share`, the maximum.
fn percentiles_of_wrk(text: &str) -> Vec<(f64, f64)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["Latency", _, _, max, _] => found.extend(millis(max).map(|max| (1.0, max))),
            [percent, value] => {
                let percent = percent
                    .strip_suffix('%')
                    .and_then(|p| p.parse::<f64>().ok());
                if let (Some(percent), Some(value)) = (percent, millis(value)) {
                    found.push((percent / 100.0, value));
                }
            }
            _ => {}
        }
    }
    found
}

/// wrk's times, such as `12.30us`, `1.23ms` and `1.20s`.
fn millis(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3)] {
        if let Some(value) = text.strip_suffix(unit).and_then(|v| v.parse::<f64>().ok()) {
            return Some(value * factor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 3s test @ http://127.0.0.1:1/\n  1 threads and 32 connections\n  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   305.50us   50.12us   1.20ms   90.00%\n    Req/Sec   104.54k     1.00k  106.00k    70.00%\n  Latency Distribution\n     50%  301.00us\n     75%  310.00us\n     90%    1.05ms\n     99%    1.10s \n  312345 requests in 3.00s, 38.13MB read\nRequests/sec: 104115.01\nTransfer/sec:     12.71MB\n";
    const H2LOAD: &str = "starting benchmark...\nfinished in 3.00s, 98765.43 req/s, 4.90MB/s\nrequests: 296297 total, 296297 started, 296296 done, 296296 succeeded, 0 failed, 0 errored, 0 timeout\n";

    #[test]
    fn what_the_others_say_is_read() {
        assert_eq!(wrk_says(WRK), Some((104_115.01, 312_345.0)));
        assert_eq!(h2load_says(H2LOAD), Some((98_765.43, 296_296.0)));
        assert_eq!(wrk_says(H2LOAD), None);
        let found = percentiles_of_wrk(WRK);
        let want = [
            (1.0, 1.2),
            (0.5, 0.301),
            (0.75, 0.31),
            (0.9, 1.05),
            (0.99, 1_100.0),
        ];
        assert_eq!(found.len(), want.len(), "{found:?}");
        for ((q, value), (want_q, want_value)) in found.into_iter().zip(want) {
            assert!(
                (q - want_q).abs() < 1e-9 && (value - want_value).abs() < 1e-9,
                "{q} {value}"
            );
        }
    }
}
