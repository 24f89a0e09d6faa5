//! A thousand attackers of one kind, and honest clients that are measured meanwhile, from the attack's first connection on: 500
//! requests a second on 8 connections.
//!
//! The attackers share the clients' core, and what they do there is not the server's doing. Two things keep it out of the figures.
//! They are behind the honest clients: a thread that the kernel lets run while these do not want to. And the figure beside, what
//! the clients see without an attack on the server, is measured with the same attackers at work, against a socket of ours that
//! nobody accepts from.

use std::{
    net::SocketAddr,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, interval_at},
};

use super::{
    clients,
    honest::{CONNECTIONS, Clients, Seen},
    server, start,
};
use crate::{
    process::{Cores, Turn, on_core, take_turn},
    report::{Report, Table, number},
    suite::Options,
};

const ATTACKERS: usize = 1000;

/// How often an attacker that dribbles sends a byte.
const DRIBBLE: Duration = Duration::from_millis(500);
/// In so many turns, a part of the attackers in each: a thousand bytes at once would be a burst every half second, and no dribble.
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
    for (attack, title) in Attack::ALL.into_iter().step_by(options.pick(3, 1)) {
        for name in ["ours", "axum"]
            .into_iter()
            .filter(|name| options.wants_peer(name))
        {
            let server = start(name, &["attacked"])?;
            let (mut before, _) = decoyed(attack, server.address, options)?;
            let (mut meanwhile, left) = beside(attack, server.address, server.address, options)?;
            table.row(vec![
                title.to_owned(),
                name.to_owned(),
                number(before.at(0.99)),
                number(meanwhile.at(0.99)),
                meanwhile.failures.to_string(),
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

/// What honest clients of a server see while others are attacked.
fn decoyed(attack: Attack, server: SocketAddr, options: &Options) -> Result<(Seen, usize), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|e| e.to_string())?;
    let _context = runtime.enter();
    let decoy: TcpListener = server::listen().map_err(|e| e.to_string())?;
    let address = decoy.local_addr().map_err(|e| e.to_string())?;
    beside(attack, server, address, options)
}

/// What honest clients of `server` see while `attacked` is; their failures are not the suite's. And how many attackers are still
/// connected at the end.
fn beside(
    attack: Attack,
    server: SocketAddr,
    attacked: SocketAddr,
    options: &Options,
) -> Result<(Seen, usize), String> {
    let length = Duration::from_secs(options.pick(3, 8));
    let priority = options.priority;
    let clients = Clients::connect(server)?;
    let ready = Arc::new(Barrier::new(CONNECTIONS as usize + 1));
    let begin = Arc::clone(&ready);
    let attackers = thread::spawn(move || {
        let turn = take_turn(Turn::Last, priority);
        begin.wait();
        turn?;
        clients::run(attackers(attack, attacked, length))
    });
    let ask = || clients.ask(length, priority, &ready);
    let seen = on_core(Cores::split().client, ask)??;
    let (connected, left) = attackers.join().map_err(|_| "the attackers failed")??;
    if connected < ATTACKERS {
        return Err(format!("only {connected} of {ATTACKERS} attackers"));
    }
    Ok((seen, left))
}

/// Attacks for so long; how many did, and how many are still connected then.
async fn attackers(attack: Attack, server: SocketAddr, length: Duration) -> (usize, usize) {
    let end = Instant::now() + length;
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
    (connected.len(), connected.iter().filter(open).count())
}
