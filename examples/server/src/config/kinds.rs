//! The kinds of values that only this server has.

use std::net::SocketAddr;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Whether something is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Switch::On
    }
}

/// How work is spread over the cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunMode {
    MultiThread,
    ThreadPerCore,
}

/// How a request's line in the access log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccessLog {
    Off,
    /// The Common Log Format of NCSA and Apache.
    Common,
    Json,
}

/// What becomes of a request of HTTP/1 whose client sends no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HalfClosed {
    Cancel,
    Answer,
}

/// What answers under `/proxy/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upstream {
    Off,
    /// This server, over its own port: something to try without a second server.
    Itself,
    Address(SocketAddr),
}
