//! Honest clients, who share a core with the attackers: 500 requests a second on 8 connections, each at its time.
//!
//! Each connection has a thread that sleeps until its next request is due. The load generator would not do: it asks for the time
//! until then, which leaves the core to nobody else, and attackers would then attack in its stead. A latency counts from when the
//! request was due, so that a server that stalls is not asked less.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::clients::{self, GET};
use crate::process::{Turn, take_turn};

pub(super) const CONNECTIONS: u32 = 8;
/// Between two requests of a connection.
const INTERVAL: Duration = Duration::from_millis(16);
/// No answer may take longer.
const DEADLINE: Duration = Duration::from_secs(10);

/// What they saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    latencies: Vec<Duration>,
    pub(super) failures: u64,
}

impl Seen {
    /// In milliseconds.
    pub(super) fn at(&mut self, quantile: f64) -> f64 {
        clients::millis(&mut self.latencies, quantile)
    }

    pub(super) fn summary(&mut self) -> Value {
        json!({
            "answered": self.latencies.len(), "errors": self.failures,
            "p50 ms": self.at(0.5), "p90 ms": self.at(0.9), "p99 ms": self.at(0.99),
            "p99.9 ms": self.at(0.999), "max ms": self.at(1.0),
        })
    }
}

/// Their connections.
pub(super) struct Clients(Vec<TcpStream>);

impl Clients {
    pub(super) fn connect(server: SocketAddr) -> Result<Self, String> {
        let connections = (0..CONNECTIONS).map(|_| connect(server));
        let connections: io::Result<_> = connections.collect();
        connections
            .map(Self)
            .map_err(|e| format!("an honest client cannot connect: {e}"))
    }

    /// Asks for so long, on the calling thread's core, once all are ready.
    pub(super) fn ask(
        self,
        length: Duration,
        priority: bool,
        ready: &Arc<Barrier>,
    ) -> Result<Seen, String> {
        let threads: Vec<_> = (0..CONNECTIONS)
            .zip(self.0)
            .map(|(number, connection)| {
                let ready = Arc::clone(ready);
                thread::spawn(move || {
                    let turn = take_turn(Turn::First, priority);
                    ready.wait();
                    let start = Instant::now();
                    let first = start + INTERVAL * number / CONNECTIONS;
                    turn.map(|()| one(connection, first, start + length))
                })
            })
            .collect();
        let mut all = Seen::default();
        for thread in threads {
            let seen = thread.join().map_err(|_| "an honest client panicked")??;
            all.latencies.extend(seen.latencies);
            all.failures += seen.failures;
        }
        Ok(all)
    }
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect_timeout(&server, DEADLINE)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(DEADLINE))?;
    Ok(connection)
}

fn one(mut connection: TcpStream, first: Instant, end: Instant) -> Seen {
    let server = connection.peer_addr();
    let mut seen = Seen::default();
    let mut due = first;
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match visit(&mut connection) {
            Ok(()) => seen.latencies.push(due.elapsed()),
            Err(_) => {
                seen.failures += 1;
                if let Ok(Ok(again)) = server.as_ref().map(|server| connect(*server)) {
                    connection = again;
                }
            }
        }
        due += INTERVAL;
    }
    seen
}

/// A request, and its answer of a few bytes.
fn visit(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(GET)?;
    let mut answer = Vec::new();
    let mut bytes = [0; 1024];
    while !answer.ends_with(b"\r\n\r\nhello") {
        let count = connection.read(&mut bytes)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&bytes[..count]);
    }
    match answer.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}
