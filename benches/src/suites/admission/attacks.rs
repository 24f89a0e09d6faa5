//! A thousand attackers of one kind, and honest clients that are measured before and meanwhile: 500 requests a second on 8
//! connections.

use std::{net::SocketAddr, sync::mpsc, thread, time::Duration};

use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, interval_at},
};

use super::{clients, start};
use crate::{
    load::{self, Ask, Outcome, Pace, Plan, Span},
    process::{Cores, on_core},
    report::{Report, Table, number},
    suite::Options,
};

const ATTACKERS: usize = 1000;

/// How often an attacker that dribbles sends a byte.
const DRIBBLE: Duration = Duration::from_millis(500);
/// In so many turns, a part of the attackers in each: all of them at once would take the core from the honest clients, who share it
/// and would be measured to wait for the attackers, and not for the server.
const TURNS: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
    Hold,
    Head,
    Body,
    Read,
    Silent,
}

impl Attack {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Read, "slow read"),
        (Self::Hold, "connect and hold"),
        (Self::Head, "slowloris"),
        (Self::Body, "slow body"),
        (Self::Silent, "half-open after an answer"),
    ];

    fn opening(self) -> &'static [u8] {
        match self {
            Self::Hold => b"",
            Self::Head => b"GET / HTTP/1.1\r\nx-slow: ",
            Self::Body => b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n",
            Self::Read => b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n",
            Self::Silent => clients::GET,
        }
    }

    /// Whether a byte follows every now and then.
    fn dribbles(self) -> bool {
        matches!(self, Self::Head | Self::Body)
    }
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    let mut table = Table::new(
        "1,000 attackers beside 500 honest requests a second",
        &[
            "attack",
            "server",
            "p99 before ms",
            "p99 meanwhile ms",
            "honest failures",
            "attackers still connected at the end",
        ],
    );
    let seconds = options.pick(3, 8);
    for (attack, title) in Attack::ALL.into_iter().step_by(options.pick(3, 1)) {
        for name in ["ours", "axum"]
            .into_iter()
            .filter(|name| options.wants_peer(name))
        {
            let server = start(name, &["attacked"])?;
            let before = honest(server.address, options.pick(1, 3))?;
            let (meanwhile, left) = under(attack, server.address, seconds)?;
            table.row(vec![
                title.to_owned(),
                name.to_owned(),
                number(p99(&before)),
                number(p99(&meanwhile)),
                meanwhile.error_count().to_string(),
                left.to_string(),
            ]);
            report.rows(&[json!({
                "case": "attacks", "attack": title, "server": name,
                "before": before.summary(), "meanwhile": meanwhile.summary(), "attackers left": left,
            })])?;
        }
    }
    report.table(table);
    Ok(())
}

fn p99(outcome: &Outcome) -> f64 {
    outcome.latency_micros(0.99) / 1e3
}

/// What the honest clients see; their failures are not the suite's.
fn honest(server: SocketAddr, seconds: u64) -> Result<Outcome, String> {
    let plan = Plan {
        connections: 8,
        pace: Pace::Constant { per_second: 500.0 },
        span: Span::Time(Duration::from_secs(seconds)),
        ..Plan::new(server, vec![Ask::get("/").length(5)])
    };
    on_core(Cores::split().client, || load::run(&plan))?
}

fn under(attack: Attack, server: SocketAddr, seconds: u64) -> Result<(Outcome, usize), String> {
    let (ready, is_ready) = mpsc::channel();
    let attackers = thread::spawn(move || clients::run(attackers(attack, server, seconds, ready)));
    let connected = is_ready.recv().map_err(|_| "the attackers did not begin")?;
    if connected < ATTACKERS {
        return Err(format!("only {connected} of {ATTACKERS} attackers"));
    }
    let seen = honest(server, seconds - 2)?;
    let left = attackers.join().map_err(|_| "the attackers failed")??;
    Ok((seen, left))
}

/// Attacks for so long; how many are still connected then.
async fn attackers(
    attack: Attack,
    server: SocketAddr,
    seconds: u64,
    ready: mpsc::Sender<usize>,
) -> usize {
    let mut set = JoinSet::new();
    for number in 0..ATTACKERS {
        set.spawn(async move {
            let mut io = clients::connect(server, number).await?;
            io.write_all(attack.opening()).await.ok()?;
            Some(io)
        });
    }
    let mut connected: Vec<TcpStream> = Vec::new();
    while let Some(client) = set.join_next().await {
        connected.extend(client.ok().flatten());
    }
    let _ = ready.send(connected.len());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut ticks = interval_at(Instant::now() + DRIBBLE, DRIBBLE / TURNS as u32);
    let mut turns = (0..TURNS).cycle();
    while ticks.tick().await < end {
        let turn = turns.next().unwrap_or_default();
        if attack.dribbles() {
            for io in connected.iter().skip(turn).step_by(TURNS) {
                let _ = io.try_write(b"x");
            }
        }
    }
    // A slow reader reads nothing while it attacks, and so learns only by writing that it was reset.
    let open = |io: &&TcpStream| match attack {
        Attack::Read => io.try_write(b"x").is_ok(),
        _ => clients::is_open(io),
    };
    connected.iter().filter(open).count()
}
