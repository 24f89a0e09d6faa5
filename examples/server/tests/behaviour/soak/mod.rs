//! Everything at once for a while: nothing fails that should not, and what was taken is given back.
//!
//! `SOAK_SECONDS=1800 cargo test --release -p server --test behaviour soak -- --nocapture` runs it for half an hour; without, it
//! takes nine seconds, and in `.ci/run` two minutes.
//!
//! # Errors
//! Every answer is looked at, and only one may be other than what was asked for: a limiter may refuse a request when its queue was not
//! empty for a tenth of a second, and one of the server's threads had no processor for half of such a time (`watch`). Then it is sent
//! again, as the answer asks for, and the server must own up to each of them. Whatever else is refused, for a breaker or without such
//! a reason, fails the test.
//!
//! # Memory
//! is flat when the second half of what follows the first third is as the first half was, by the median of what is resident once a
//! second; and when as much is resident at the end, with nothing under way, as after the first third. As flat counts what is within
//! [`NOISE`]: an allocator keeps what it may need again, in whole pages, and which requests meet each other is chance.
//!
//! The server runs without transparent huge pages, of which the kernel makes some when it finds the time: then 2 MiB are resident where a
//! few bytes are in use, and a server that holds less than before has grown by a fifth.

#![cfg(target_os = "linux")]

mod connection;
mod encrypted;
mod held;
mod loads;
mod refusals;
mod staying;
mod watch;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::pki_types::CertificateDer;

use self::connection::Ports;
use self::held::{metric, settle};
use self::refusals::{Patient, Refusals};
use self::watch::{Seen, Watch};
use crate::client::Client;
use crate::process::{Server, program};
use crate::tls::write_identity;

/// How long what was broken off may take to be noticed, and a reload to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shortest soak of which there is something to be seen in memory.
const SHORTEST: Duration = Duration::from_secs(9);

/// Sockets that may be about to be closed when it is looked. What leaks does so with every request or every reload.
const CLOSING: usize = 4;

/// The part by which memory may differ.
const NOISE: f64 = 0.1;

/// Bytes that the server fills in its first three minutes, whatever it does: what the dashboard shows of the past.
const FILLS: u64 = 1 << 20;

/// How far apart a refusal and what explains it may be seen.
const SOON: Duration = Duration::from_secs(1);

/// Of so many answers, one may be a refusal, even if all are explained: who is refused more often is not soaking.
const ANSWERS_A_REFUSAL: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_load_leaves_nothing_behind() {
    let seconds = std::env::var("SOAK_SECONDS").map(|text| text.parse().unwrap());
    // What refuses requests under overload is on, as by default: alone on its machine this load is none. Beside all other tests it may
    // well be one, and that those keep this machine busy is no failure of the server's.
    let refusers: &[&str] = match seconds {
        Ok(_) => &[],
        Err(_) => &["--adaptive-limit", "off", "--breaker", "off"],
    };
    let length = Duration::from_secs(seconds.clone().unwrap_or(9));
    assert!(length >= SHORTEST, "SOAK_SECONDS are too few: {length:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, "").unwrap();
    let (root, chain, key) = write_identity(folder.path(), "soaked");
    let (config, tls) = (
        ["--config", file.to_str().unwrap()],
        ["--tls-certificate", &chain, "--tls-key", &key],
    );
    let mut program = program(&[&config[..], &tls, refusers].concat());
    let server = Server::run(program.env("MIMALLOC_ALLOW_THP", "0"));
    let admin = Client::http1(server.admin());
    let load = Load {
        server: server.address,
        tls: server.tls(),
        root,
        refusals: Refusals::default(),
    };

    let watch = Watch::start(server.id());
    load.run(&admin, &file, length / 3).await;
    let before = settle(&server, &admin).await;
    println!("at rest: {before}");
    let begun = Instant::now();
    load.run(&admin, &file, length * 2 / 3).await;
    let seen = watch.end();
    let after = settle(&server, &admin).await;
    println!("at rest: {after}");

    assert!(
        after.descriptors.len() <= before.descriptors.len() + CLOSING,
        "{:#?}, {:#?}",
        before.descriptors,
        after.descriptors
    );
    let halves = seen.halves(begun);
    println!(
        "resident in each half: {halves:?}; each minute: {:?}",
        seen.each_minute()
    );
    println!("{}", requests(&admin.get("/metrics").await.body));
    no_failure_is_unexplained(&load.refusals, &seen, &admin).await;
    // In less than that, the server has not even been everywhere.
    if seconds.is_ok() {
        assert!(is_flat(halves[0], halves[1]), "{halves:?}");
        assert!(is_flat(before.memory, after.memory), "{before}, {after}");
    }
}

/// What those that may turn clients away say of themselves.
async fn turned_away(admin: &Client) -> String {
    let text = admin.get("/metrics").await.body;
    let lines = text.lines().filter(|line| {
        let words = ["limiter", "breaker", "refused", "cut", "pauses"];
        !line.starts_with('#') && words.iter().any(|word| line.contains(word))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How many requests each route has answered, by class of status.
fn requests(metrics: &str) -> String {
    let rows = metrics.lines().filter_map(|line| {
        let row = line.strip_prefix("server_requests_total{")?;
        (!row.ends_with(" 0")).then_some(row)
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Whether memory has not grown by more than is chance or known.
fn is_flat(before: u64, after: u64) -> bool {
    after as f64 <= before as f64 * (1.0 + NOISE) + FILLS as f64
}

/// Every failure is a refusal that its client knows of, and every refusal has its reason.
async fn no_failure_is_unexplained(refusals: &Refusals, seen: &Seen, admin: &Client) {
    let (refused, answers) = (refusals.refused(), refusals.answers());
    println!(
        "{answers} answers, {} refusals; {} looks at a stalled server",
        refused.len(),
        seen.stalls()
    );
    // One that was proxied is counted where it was refused.
    let failed = metric(admin, "server_requests_total", "status=\"5xx\"").await
        - metric(
            admin,
            "server_requests_total",
            "route=\"/proxy/{*path}\",status=\"5xx\"",
        )
        .await;
    let limited = metric(admin, "flowctl_limiter_rejected_total", "").await;
    let broken = metric(admin, "flowctl_breaker_degraded_total", "").await;
    assert_eq!(
        (failed, limited, broken),
        (refused.len() as f64, refused.len() as f64, 0.0),
        "failed, refused by the limiter, by the breaker; the clients know of {}",
        refused.len()
    );
    for when in &refused {
        assert!(seen.stall_near(*when, SOON), "a refusal without a reason");
    }
    assert!(refused.len() * ANSWERS_A_REFUSAL <= answers);
}

/// All kinds of load.
struct Load {
    server: SocketAddr,
    tls: SocketAddr,
    root: CertificateDer<'static>,
    refusals: Refusals,
}

impl Load {
    /// Has them all go on for so long.
    async fn run(&self, admin: &Client, file: &Path, length: Duration) {
        let until = Instant::now() + length;
        let (server, tls) = (self.server, self.tls);
        // Nobody resumes another one's sessions.
        let ports = || Ports::new(server, tls, &self.root);
        let refusals = || self.refusals.clone();
        let patient = |client| Patient {
            client,
            refusals: refusals(),
        };
        let http1 = || patient(Client::http1(server));
        let http2 = || patient(Client::http2(server));
        let kinds = [
            ("shop", tokio::spawn(loads::shop(http1(), until))),
            ("shop by h2", tokio::spawn(loads::shop(http2(), until))),
            (
                "uploads",
                tokio::spawn(loads::uploads(http1(), server, until)),
            ),
            ("files", tokio::spawn(loads::files(http1(), until))),
            ("files by h2", tokio::spawn(loads::files(http2(), until))),
            (
                "priorities",
                tokio::spawn(loads::priorities(server, refusals(), until)),
            ),
            ("slow", tokio::spawn(loads::slow(server, until))),
            (
                "reloads",
                tokio::spawn(loads::reloads(http1(), file.to_owned(), until)),
            ),
            (
                "aborts",
                tokio::task::spawn_blocking(move || loads::aborts(server, tls, until)),
            ),
            (
                "encrypted",
                tokio::spawn(encrypted::encrypted(ports(), refusals(), until)),
            ),
            ("events", tokio::spawn(staying::events(ports(), until))),
            (
                "websockets",
                tokio::spawn(staying::websockets(ports(), until)),
            ),
        ];
        for (name, task) in kinds {
            let rounds = match task.await {
                Ok(rounds) => rounds,
                Err(error) => panic!("{name}: {error}\n{}", turned_away(admin).await),
            };
            assert!(rounds > 0, "{name} did not come to a single round");
            println!("{name}: {rounds} rounds");
        }
    }
}
