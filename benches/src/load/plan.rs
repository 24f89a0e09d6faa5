//! What to ask, how often, and what is a right answer.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

/// A load on one server.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// What `Host` and `:authority` say.
    pub host: String,
    /// The protocol.
    pub protocol: Protocol,
    /// What is asked, in turn; each connection begins with another one.
    pub asks: Vec<Ask>,
    /// Connections, all open before the first request.
    pub connections: usize,
    /// Requests that a connection has under way at most: pipelined in HTTP/1.1, streams in HTTP/2.
    pub in_flight: usize,
    /// When a request is sent.
    pub pace: Pace,
    /// When the load ends.
    pub span: Span,
    /// The same load beforehand, of which nothing is kept.
    pub warm_up: Duration,
    /// Threads among which the connections are divided.
    pub threads: usize,
    /// No answer may take longer.
    pub deadline: Duration,
    /// The server's process: its CPU time during the load is read.
    pub pid: Option<u32>,
}

impl Plan {
    /// A closed loop of one connection over HTTP/1.1 for a second; the fields say what else can be had.
    pub fn new(address: SocketAddr, asks: Vec<Ask>) -> Self {
        Self {
            address,
            host: address.to_string(),
            protocol: Protocol::Http1,
            asks,
            connections: 1,
            in_flight: 1,
            pace: Pace::Closed,
            span: Span::Time(Duration::from_secs(1)),
            warm_up: Duration::ZERO,
            threads: 1,
            deadline: Duration::from_secs(10),
            pid: None,
        }
    }

    /// Refuses what cannot be run, and whatever is not on this machine.
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = [
            ("asks", self.asks.len()),
            ("connections", self.connections),
            ("in flight", self.in_flight),
            ("threads", self.threads),
        ];
        if let Some((what, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(format!("{what}: at least one is needed"));
        }
        if let Pace::Constant { per_second } = self.pace
            && !(per_second.is_finite() && per_second > 0.0)
        {
            return Err(format!(
                "a rate of {per_second} requests a second: it must be positive"
            ));
        }
        if !self.address.ip().is_loopback() {
            return Err(format!(
                "{} is not this machine: the load generator only speaks to a loopback address such as 127.0.0.1",
                self.address
            ));
        }
        Ok(())
    }
}

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 with connections kept alive.
    Http1,
    /// HTTP/2 over cleartext, begun with prior knowledge.
    Http2,
}

/// When a request is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As soon as an earlier one has been answered. A server that stalls is asked less, so its stalls are seen less
    /// often than they would be met (coordinated omission): good for rates, not for latencies.
    Closed,
    /// At its time in a plan made beforehand, whatever the server does, and its latency counts from that time even if
    /// it could only be sent later.
    Constant {
        /// Requests a second of all connections together.
        per_second: f64,
    },
}

/// When the load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// After so many requests.
    Requests(u64),
    /// After so much time; what is under way then is still answered and counted.
    Time(Duration),
}

/// A request and its right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Further fields, in lower case; `content-length` is added unless there is a `transfer-encoding`.
    pub headers: Vec<(String, String)>,
    /// The body; requests under way share it.
    pub body: Bytes,
    /// The status that is right.
    pub status: u16,
    /// Bytes of the body that are right; any number when not given.
    pub length: Option<u64>,
    /// A status by which a server under overload turns a request away: no answer, and no fault either.
    pub refusal: Option<u16>,
}

impl Ask {
    /// A GET that is right with status 200 and any body.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET".into(),
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            status: 200,
            length: None,
            refusal: None,
        }
    }

    /// A POST of that body.
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            method: "POST".into(),
            body: body.into(),
            ..Self::get(path)
        }
    }

    /// With one more field; the name is in lower case.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With another status that is right.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With the length of the body that alone is right.
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// With a status by which it may be turned away.
    pub fn or_refused(mut self, status: u16) -> Self {
        self.refusal = Some(status);
        self
    }

    /// What is wrong with an answer, if anything.
    pub(super) fn fault(&self, status: u16, length: u64) -> Option<String> {
        if status != self.status {
            return Some(format!(
                "{}: status {status}, right is {}",
                self.path, self.status
            ));
        }
        match self.length {
            Some(right) if right != length && self.method != "HEAD" => Some(format!(
                "{}: a body of {length} bytes, right are {right}",
                self.path
            )),
            _ => None,
        }
    }
}
