//! Everything at once for a while: nothing fails that should not, and what was taken is given back.
//!
//! `SOAK_SECONDS=1800 cargo test --release -p server --test behaviour soak` runs it for half an hour; without, it takes five
//! seconds, and in `.ci/run` two minutes.

#![cfg(target_os = "linux")]

mod loads;

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::process::Server;

/// How long what was broken off may take to be noticed, and a reload to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sockets that may be about to be closed when it is looked. What leaks does so with every request or every reload.
const CLOSING: usize = 4;

/// A metric's value, summed over those of its rows that have `label`.
async fn metric(admin: &Client, name: &str, label: &str) -> f64 {
    let text = admin.get("/metrics").await.body;
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(label))
    });
    lines
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

/// What those that may refuse requests say of themselves.
async fn refusals(admin: &Client) -> String {
    let text = admin.get("/metrics").await.body;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let told = lines.filter(|line| line.contains("limiter") || line.contains("breaker"));
    told.collect::<Vec<_>>().join("\n")
}

/// What the server holds.
#[derive(Debug)]
struct Held {
    /// Bytes.
    memory: f64,
    descriptors: Vec<String>,
}

/// Waits until nothing is under way any more and all is back home, and looks at what is still held.
///
/// The proxy keeps connections to its upstream, which is this server itself: as many are open as it says to have at rest,
/// and each has two descriptors.
async fn settle(server: &Server, admin: &Client) -> Held {
    let start = Instant::now();
    let mut away = Vec::new();
    while start.elapsed() < PATIENCE {
        let resting = resting(admin).await;
        away = out(&admin.get("/metrics").await.body, resting);
        if away.is_empty() {
            let mut descriptors = descriptors(server.id());
            if self::resting(admin).await == resting {
                for _ in 0..2 * resting as usize {
                    let socket = descriptors.iter().position(|to| to == "socket");
                    descriptors.remove(socket.expect("each connection is a socket"));
                }
                return Held {
                    memory: metric(admin, "process_resident_memory_bytes", "").await,
                    descriptors,
                };
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never came home: {away:#?}");
}

/// The proxy's connections that are not in use.
async fn resting(admin: &Client) -> f64 {
    metric(admin, "server_upstream_connections", "state=\"idle\"").await
}

/// The figures of what is out that are not what they are when nothing is.
fn out(metrics: &str, resting: f64) -> Vec<String> {
    let counts_what_is_out = |line: &&str| {
        line.starts_with("server_requests_in_flight")
            || line.starts_with("server_connections_open{port=\"http\"}")
            || line.starts_with("server_limiter_queue")
            || line.starts_with("server_pool_waiting")
            || (line.starts_with("server_pool_buffers{") && line.contains("in_use"))
    };
    let at_home = |line: &&str| {
        let home = if line.starts_with("server_connections_open") {
            resting
        } else {
            0.0
        };
        let (_, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap() == home
    };
    let lines = metrics.lines().filter(counts_what_is_out);
    lines
        .filter(|line| !at_home(line))
        .map(str::to_owned)
        .collect()
}

/// What each descriptor of a process leads to, without the numbers of sockets and pipes.
fn descriptors(process: u32) -> Vec<String> {
    let links = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let mut all: Vec<_> = links
        .map(|link| {
            let target = std::fs::read_link(link.unwrap().path()).unwrap();
            let target = target.to_string_lossy().into_owned();
            target.split(":[").next().unwrap_or_default().to_owned()
        })
        .collect();
    all.sort();
    all
}

/// Turns a setting round, once a second, and waits each time until responses show it.
async fn reloads(client: Client, file: std::path::PathBuf, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        let (next, on) = (Instant::now() + Duration::from_secs(1), rounds % 2 == 1);
        let sample = 1 + rounds % 7;
        let text = format!("security-headers = {on}\naccess-log-sample = {sample}\n");
        // In one step, so that no half of it is ever read.
        let new = file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &file).unwrap();
        let written = Instant::now();
        loop {
            let hello = client.get("/hello").await;
            assert_eq!(hello.status, 200);
            if hello.headers.contains_key("x-frame-options") == on {
                break;
            }
            assert!(written.elapsed() < PATIENCE, "reload {rounds} is not seen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        rounds += 1;
        tokio::time::sleep_until(next.min(until).into()).await;
    }
    rounds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_load_leaves_nothing_behind() {
    let seconds = std::env::var("SOAK_SECONDS").map(|text| text.parse().unwrap());
    // What refuses requests under overload is on, as by default: alone on its machine this load is none. Beside all other tests it may
    // well be one, and that those keep this machine busy is no failure of the server's.
    let refusers: &[&str] = match seconds {
        Ok(_) => &[],
        Err(_) => &["--adaptive-limit", "off", "--breaker", "off"],
    };
    let length = Duration::from_secs(seconds.unwrap_or(5));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, "").unwrap();
    let server = Server::start(&[&["--config", file.to_str().unwrap()], refusers].concat());
    let admin = Client::http1(server.admin());
    let address = server.address;
    let mut settled: Option<Held> = None;
    // A third to settle, two thirds to see whether it grows.
    for part in [length / 3, length * 2 / 3] {
        let until = Instant::now() + part;
        let (http1, http2) = (|| Client::http1(address), || Client::http2(address));
        let load = [
            ("shop", tokio::spawn(loads::shop(http1(), until))),
            ("shop by h2", tokio::spawn(loads::shop(http2(), until))),
            (
                "uploads",
                tokio::spawn(loads::uploads(http1(), address, until)),
            ),
            ("files", tokio::spawn(loads::files(http1(), until))),
            ("files by h2", tokio::spawn(loads::files(http2(), until))),
            (
                "priorities",
                tokio::spawn(loads::priorities(address, until)),
            ),
            ("slow", tokio::spawn(loads::slow(address, until))),
            (
                "reloads",
                tokio::spawn(reloads(http1(), file.clone(), until)),
            ),
            (
                "aborts",
                tokio::task::spawn_blocking(move || loads::aborts(address, until)),
            ),
        ];
        for (name, task) in load {
            let rounds = match task.await {
                Ok(rounds) => rounds,
                Err(error) => panic!("{name}: {error}\n{}", refusals(&admin).await),
            };
            assert!(rounds > 0, "{name} did not come to a single round");
            println!("{name}: {rounds} rounds");
        }
        let held = settle(&server, &admin).await;
        println!(
            "{} bytes, {} descriptors",
            held.memory,
            held.descriptors.len()
        );
        if let Some(before) = &settled {
            assert!(held.memory < before.memory * 1.5, "{before:?}, {held:?}");
            assert!(
                held.descriptors.len() <= before.descriptors.len() + CLOSING,
                "{before:#?}, {held:#?}"
            );
        }
        settled = Some(held);
    }
    let metrics = admin.get("/metrics").await.body;
    let failed = metrics
        .lines()
        .filter(|line| line.contains("status=\"5xx\"} ") && !line.ends_with(" 0"));
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<&str>::new());
}
