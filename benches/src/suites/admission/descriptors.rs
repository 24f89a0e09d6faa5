//! 2,000 clients arrive at a server with 256 descriptors, are answered or not, and stay for two seconds.

use std::{process::Command, time::Duration};

use serde_json::json;
use tokio::{io::AsyncWriteExt, task::JoinSet, time::Instant};

use super::{clients, server, start};
use crate::{
    process::{Server, free_address},
    report::{Report, Table, number},
    suite::Options,
    tools,
};

const CLIENTS: usize = 2000;
const STAY: Duration = Duration::from_secs(2);

pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    let newcomers = options.pick(10, 50);
    let of_newcomers = format!("newcomers meanwhile, of {newcomers}");
    let mut table = Table::new(
        "2,000 clients, 256 descriptors",
        &[
            "server",
            "answered of the burst",
            &of_newcomers,
            "slowest of them ms",
            "CPU ms in 2 s of quiet",
            "answers again after ms",
            "descriptors before / after",
        ],
    );
    for name in ["ours", "axum", "nginx"] {
        if options.wants_peer(name)
            && let Some(server) = peer(name)?
        {
            table.row(burst(&server, newcomers, report)?);
        }
    }
    report.table(table);
    Ok(())
}

fn peer(name: &str) -> Result<Option<Server>, String> {
    if name != "nginx" {
        return start(name, &["few-descriptors"]).map(Some);
    }
    let Some(nginx) = tools::find("nginx") else {
        tools::missing("nginx", "to see what it does without descriptors");
        return Ok(None);
    };
    let dir = std::env::temp_dir().join(format!("flowctl-nginx-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let address = free_address()?;
    let mut command = Command::new(nginx);
    command.arg("-c").arg(server::nginx(&dir, address)?);
    Server::program(name, command, address).map(Some)
}

fn burst(server: &Server, wanted: usize, report: &mut Report) -> Result<Vec<String>, String> {
    let address = server.address;
    let before = server.usage().descriptors;
    let (answered, mut newcomers, quiet, again) = clients::run(async {
        let mut set = JoinSet::new();
        for number in 0..CLIENTS {
            set.spawn(async move {
                let mut io = clients::connect(address, number).await?;
                io.write_all(clients::GET).await.ok()?;
                let answer = clients::answer(&mut io, Duration::from_secs(1)).await;
                let answered = answer.is_some_and(|answer| answer.contains(" 200 "));
                Some((io, answered))
            });
        }
        let mut held = Vec::new();
        let mut answered = 0;
        while let Some(client) = set.join_next().await {
            if let Ok(Some((io, was_answered))) = client {
                answered += usize::from(was_answered);
                held.push(io);
            }
        }
        let mut newcomers = Vec::new();
        for _ in 0..wanted {
            newcomers.extend(clients::visit(address, "/", Duration::from_millis(200)).await);
        }
        let cpu = server.usage().cpu;
        tokio::time::sleep(STAY).await;
        let quiet = server.usage().cpu.saturating_sub(cpu);
        drop(held);
        let left = Instant::now();
        while clients::visit(address, "/", Duration::from_millis(100))
            .await
            .is_none()
            && left.elapsed() < Duration::from_secs(10)
        {}
        (answered, newcomers, quiet, left.elapsed())
    })?;
    std::thread::sleep(Duration::from_millis(500));
    let after = server.usage().descriptors;
    let millis = |time: &Duration| time.as_secs_f64() * 1e3;
    report.rows(&[json!({
        "case": "descriptors", "server": server.name, "answered": answered,
        "newcomers ms": newcomers.iter().map(millis).collect::<Vec<_>>(),
        "quiet CPU ms": millis(&quiet), "again ms": millis(&again), "before": before, "after": after,
    })])?;
    Ok(vec![
        server.name.clone(),
        answered.to_string(),
        newcomers.len().to_string(),
        number(clients::millis(&mut newcomers, 1.0)),
        number(millis(&quiet)),
        number(millis(&again)),
        format!("{before} / {after}"),
    ])
}
