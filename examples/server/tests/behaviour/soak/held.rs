//! What the server holds when nothing is under way.

use std::fmt;
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::watch::resident;
use crate::client::Client;
use crate::process::Server;

/// A metric's value, summed over those of its rows that have `label`.
pub(super) async fn metric(admin: &Client, name: &str, label: &str) -> f64 {
    let text = admin.get("/metrics").await.body;
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(label))
    });
    lines
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

/// What the server holds.
pub(super) struct Held {
    /// Resident bytes.
    pub(super) memory: u64,
    pub(super) descriptors: Vec<String>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held {
            memory,
            descriptors,
        } = self;
        write!(f, "{memory} bytes, {} descriptors", descriptors.len())
    }
}

/// Waits until nothing is under way any more and all is back home, and looks at what is still held.
///
/// The proxy keeps connections to its upstream, which is this server itself: as many are open as it says to have at rest,
/// and each has two descriptors.
pub(super) async fn settle(server: &Server, admin: &Client) -> Held {
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
                    memory: resident(server.id()),
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
            || line.starts_with("server_connections_open{port=\"http")
            || line.starts_with("server_websockets_open")
            || line.starts_with("server_uploads{")
            || line.starts_with("server_http2_receive_promised_bytes")
            || line.starts_with("flowctl_limiter_queue")
            || line.starts_with("server_pool_waiting")
            || (line.starts_with("server_upstream_connections{") && line.contains("in_use"))
            || (line.starts_with("server_pool_buffers{") && line.contains("in_use"))
    };
    let at_home = |line: &&str| {
        let home = if line.starts_with("server_connections_open{port=\"http\"}") {
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
