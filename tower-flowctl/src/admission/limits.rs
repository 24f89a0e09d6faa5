use std::{fmt, time::Duration};

/// What may come in, and how long it may take: plain values that can be replaced while the server runs
/// ([`Admission::set_limits`](crate::admission::Admission::set_limits)).
///
/// `None` is no limit. The defaults suit a server that faces the internet without a proxy in front.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections in total, over all classes. Default: none, the descriptors are the limit.
    pub total: Option<u32>,
    /// Connections of one client address. Default 256: a browser has 6, an office behind one address many.
    pub per_address: Option<u32>,
    /// Connections of one prefix, /24 of IPv4 and /64 of IPv6. Default 1024: a /64 is what one customer gets.
    pub per_prefix: Option<u32>,
    /// Connections accepted in a second, over all listeners. Default: none.
    pub accept_rate: Option<u32>,
    /// Connections accepted at once before the rate counts. Default 64.
    pub accept_burst: u32,
    /// From accepting until the layers below HTTP are done, TLS above all, as `CountRequests` or
    /// [`Connection::established`](crate::admission::Connection::established) says. Of listeners of which nobody ever says
    /// that, until the first byte. Default 10 s.
    pub handshake: Option<Duration>,
    /// From the first byte of a request's head (of the first request: from the handshake) until it is whole.
    /// Default 20 s, as Apache's `mod_reqtimeout`. Pressure shortens it, see [`reclaim`](crate::reclaim). It holds while
    /// the server drains, too.
    pub header: Option<Duration>,
    /// How long a connection may be without a request before it is closed. Default 75 s, as nginx's
    /// `keepalive_timeout`. Over HTTP/2 it counts from the end of the last response, whatever PINGs go by.
    pub idle: Option<Duration>,
    /// The least a client must send while a handler waits for its body, and take while a response waits for room in
    /// the socket, in bytes a second. Default 240, Kestrel's. It is the connection's, and whoever is below it is reset with all
    /// its streams: a stream of messages in which a handler waits for the next one needs
    /// [`Connection::bodies_may_wait`](crate::admission::Connection::bodies_may_wait).
    pub rate: Option<u32>,
    /// How long a client may be below `rate` before its connection is reset. Default 5 s.
    pub grace: Duration,
    /// How many bytes the kernel holds unsent for a connection (`TCP_NOTSENT_LOWAT`, tcp(7), Linux), for connections from then on.
    /// Default 128 KiB. What is on its way does not count, so that downloads are as fast as without; but a thousand clients
    /// that take nothing hold that much each, and not the 4 MiB to which the kernel lets a socket's buffer grow, nor the time
    /// to copy them.
    pub unsent: Option<u32>,
    /// After a graceful close was asked of an idle connection, how long until it is reset. Default 500 ms: a peer that
    /// is gone never answers.
    pub close_grace: Duration,
    /// How long an HTTP/1 connection that ends with a request's body unread takes in and drops what its client still sends, if
    /// that does not close. Without, the kernel resets the connection, and the client may lose the response: the 413, say, that
    /// answers a body which is too long (RFC 9112, section 9.6; nginx's `lingering_close`). Never while descriptors are short.
    /// Zero is not at all. Default 2 s.
    pub linger: Duration,
    /// Under pressure, how long a connection must have been silent to be closed: this long at the beginning, and ever
    /// less as the pressure grows. Default 30 s.
    pub reclaim_after: Duration,
    /// What becomes of a connection for which there is no room.
    pub at_limit: AtLimit,
}

/// What the listener does at a limit that is not a single client's: [`Limits::total`], a class's, or the descriptors'.
/// A client over its own limit is always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtLimit {
    /// Leave new connections in the kernel's queue until another one ends. A burst is then only slower; when the
    /// queue is full, the kernel ignores handshakes and clients repeat them.
    Pause,
    /// Accept and answer `503 Service Unavailable` with `Retry-After`, in the clear. For listeners without TLS.
    Unavailable,
    /// Accept and reset. For listeners with TLS, and the cheapest.
    Reset,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: None,
            per_address: Some(256),
            per_prefix: Some(1024),
            accept_rate: None,
            accept_burst: 64,
            handshake: Some(Duration::from_secs(10)),
            header: Some(Duration::from_secs(20)),
            idle: Some(Duration::from_secs(75)),
            rate: Some(240),
            grace: Duration::from_secs(5),
            unsent: Some(128 << 10),
            close_grace: Duration::from_millis(500),
            linger: Duration::from_secs(2),
            reclaim_after: Duration::from_secs(30),
            at_limit: AtLimit::Unavailable,
        }
    }
}

impl Limits {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Without any limit and deadline: connections are counted, and reclaimed when descriptors run out.
    pub fn none() -> Self {
        Self {
            per_address: None,
            per_prefix: None,
            handshake: None,
            header: None,
            idle: None,
            rate: None,
            unsent: None,
            ..Self::default()
        }
    }

    /// Sets [`total`](Self::total).
    pub fn total(mut self, connections: impl Into<Option<u32>>) -> Self {
        self.total = connections.into();
        self
    }

    /// Sets [`per_address`](Self::per_address).
    pub fn per_address(mut self, connections: impl Into<Option<u32>>) -> Self {
        self.per_address = connections.into();
        self
    }

    /// Sets [`per_prefix`](Self::per_prefix).
    pub fn per_prefix(mut self, connections: impl Into<Option<u32>>) -> Self {
        self.per_prefix = connections.into();
        self
    }

    /// Sets [`accept_rate`](Self::accept_rate) and [`accept_burst`](Self::accept_burst).
    pub fn accept_rate(mut self, a_second: impl Into<Option<u32>>, burst: u32) -> Self {
        self.accept_rate = a_second.into();
        self.accept_burst = burst;
        self
    }

    /// Sets [`handshake`](Self::handshake).
    pub fn handshake(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.handshake = deadline.into();
        self
    }

    /// Sets [`header`](Self::header).
    pub fn header(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.header = deadline.into();
        self
    }

    /// Sets [`idle`](Self::idle).
    pub fn idle(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle = timeout.into();
        self
    }

    /// Sets [`rate`](Self::rate), in bytes a second, and [`grace`](Self::grace).
    pub fn rate(mut self, bytes_a_second: impl Into<Option<u32>>, grace: Duration) -> Self {
        self.rate = bytes_a_second.into();
        self.grace = grace;
        self
    }

    /// Sets [`unsent`](Self::unsent), in bytes.
    pub fn unsent(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.unsent = bytes.into();
        self
    }

    /// Sets [`close_grace`](Self::close_grace).
    pub fn close_grace(mut self, grace: Duration) -> Self {
        self.close_grace = grace;
        self
    }

    /// Sets [`linger`](Self::linger).
    pub fn linger(mut self, patience: Duration) -> Self {
        self.linger = patience;
        self
    }

    /// Sets [`reclaim_after`](Self::reclaim_after).
    pub fn reclaim_after(mut self, silent: Duration) -> Self {
        self.reclaim_after = silent;
        self
    }

    /// Sets [`at_limit`](Self::at_limit).
    pub fn at_limit(mut self, policy: AtLimit) -> Self {
        self.at_limit = policy;
        self
    }

    /// How soon after its begin the earliest of the deadlines can pass: nobody need look at a connection more often.
    pub(crate) fn first_check(&self) -> Duration {
        let rate = self.rate.map(|_| self.grace);
        [self.handshake, self.header, self.idle, rate]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(Duration::from_secs(60))
    }

    pub(crate) fn check(&self) -> Result<(), LimitsError> {
        let counts = [
            ("total", self.total),
            ("per_address", self.per_address),
            ("per_prefix", self.per_prefix),
            ("accept_rate", self.accept_rate),
            ("accept_burst", Some(self.accept_burst)),
            ("rate", self.rate),
            ("unsent", self.unsent),
        ];
        let durations = [
            ("handshake", self.handshake),
            ("header", self.header),
            ("idle", self.idle),
            ("grace", Some(self.grace)),
            ("close_grace", Some(self.close_grace)),
        ];
        let zeros = counts
            .iter()
            .filter(|(_, count)| *count == Some(0))
            .map(|(name, _)| *name)
            .chain(
                durations
                    .iter()
                    .filter(|(_, duration)| *duration == Some(Duration::ZERO))
                    .map(|(name, _)| *name),
            );
        match { zeros }.next() {
            Some(limit) => Err(LimitsError { limit }),
            None => Ok(()),
        }
    }
}

/// A limit of zero, which would refuse everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsError {
    limit: &'static str,
}

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the limit `{}` is zero and would refuse everything; it must be positive, or absent for no limit",
            self.limit
        )
    }
}

impl std::error::Error for LimitsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_zero_is_named() {
        assert_eq!(Limits::new().check(), Ok(()));
        assert_eq!(Limits::none().check(), Ok(()));
        let error = Limits::new().per_prefix(0).check().unwrap_err();
        assert!(error.to_string().contains("`per_prefix`"), "{error}");
        let error = Limits::new().header(Duration::ZERO).check().unwrap_err();
        assert!(error.to_string().contains("`header`"), "{error}");
    }
}
