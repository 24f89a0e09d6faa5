//! Idle keep-alive connections: what each costs, and what it takes to close 10,000 of them beside active ones.

use std::{net::SocketAddr, sync::mpsc, thread, time::Duration};

use tokio::{io::AsyncWriteExt, time::Instant};

use super::{clients, server::set_descriptors, start};
use crate::{
    load::{self, Ask, Pace, Plan, Span},
    process::{Cores, Server, on_core},
    report::{Report, Table, number},
    suite::Options,
};

pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    let may = set_descriptors(u64::MAX)?;
    let wanted = options.pick(5_000, 50_000);
    let count = wanted.min(
        usize::try_from(may)
            .unwrap_or(usize::MAX)
            .saturating_sub(500),
    );
    if count < wanted {
        report.note(format!(
            "Idle connections: {count} instead of {wanted}, since a process may have {may} descriptors here."
        ));
    }
    let mut table = Table::new(
        format!("{count} idle connections"),
        &[
            "server",
            "KiB resident each",
            "CPU us each to accept and answer",
        ],
    );
    for name in ["axum", "ours"]
        .into_iter()
        .filter(|name| options.wants_peer(name))
    {
        let server = start(name, &["idle"])?;
        let before = server.usage();
        let held = clients::run(hold(server.address, count))?;
        let after = server.usage();
        let each = |value: f64| number(value / held.len() as f64);
        table.row(vec![
            name.to_owned(),
            each((after.resident - before.resident) as f64 / 1024.0),
            each((after.cpu - before.cpu).as_secs_f64() * 1e6),
        ]);
        if name == "ours" {
            reclaim(&server, &held, report)?;
        }
    }
    report.table(table);
    Ok(())
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

fn reclaim(
    server: &Server,
    held: &[std::net::TcpStream],
    report: &mut Report,
) -> Result<(), String> {
    let address = server.address;
    let count = (held.len() * 4 / 5).min(10_000);
    let quiet = active(address, 2)?;
    let (go, goes) = mpsc::channel();
    let pid = server.pid();
    let reclaimed = thread::spawn(move || {
        clients::run(async move {
            let _ = goes.recv();
            tokio::time::sleep(Duration::from_millis(500)).await;
            let before = crate::process::Usage::of(pid);
            let path = format!("/reclaim/{count}");
            clients::visit(address, &path, Duration::from_secs(10)).await;
            let begun = Instant::now();
            while crate::process::Usage::of(pid).descriptors + count as u64
                > before.descriptors + 20
                && begun.elapsed() < Duration::from_secs(10)
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            (
                begun.elapsed(),
                crate::process::Usage::of(pid).cpu - before.cpu,
            )
        })
    });
    let _ = go.send(());
    let disturbed = active(address, 2)?;
    let (took, cpu) = reclaimed.join().map_err(|_| "the reclaim failed")??;
    let mut table = Table::new(
        format!("{count} idle connections closed at once"),
        &[
            "took ms",
            "CPU ms, active requests included",
            "p99 of 500 active requests a second before ms",
            "p99 meanwhile ms",
        ],
    );
    table.row(vec![
        number(took.as_secs_f64() * 1e3),
        number(cpu.as_secs_f64() * 1e3),
        number(quiet),
        number(disturbed),
    ]);
    report.table(table);
    Ok(())
}

fn active(server: SocketAddr, seconds: u64) -> Result<f64, String> {
    let plan = Plan {
        connections: 8,
        pace: Pace::Constant { per_second: 500.0 },
        span: Span::Time(Duration::from_secs(seconds)),
        ..Plan::new(server, vec![Ask::get("/").length(5)])
    };
    let outcome = on_core(Cores::split().client, || load::run(&plan))??.checked()?;
    Ok(outcome.latency_micros(0.99) / 1e3)
}
