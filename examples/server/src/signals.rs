//! The signals that ask for something other than the end.
//!
//! Whoever does not listen for them is ended by them. So a process does before anybody else can know of it: systemd follows a new
//! one from when the one before is dismissed, which may be long before the new one serves (see [`crate::restart`]). What comes
//! early waits here, at most once of a kind, for who is to look at it.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Each of them, from when it was made on.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Signals {
    /// SIGHUP: the settings are to be read again.
    pub(crate) reload: Signal,
    /// SIGUSR2: a new process is to take this one's place.
    pub(crate) restart: Signal,
    /// SIGUSR1: it does.
    pub(crate) dismissed: Signal,
}

#[cfg(unix)]
impl Signals {
    /// # Errors
    /// When the operating system does not let this process handle them.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Signals {
            reload: signal(SignalKind::hangup())?,
            restart: signal(SignalKind::user_defined2())?,
            dismissed: signal(SignalKind::user_defined1())?,
        })
    }

    /// Resolves when a restart is asked for.
    pub(crate) async fn restart_asked(&mut self) {
        let _ = self.restart.recv().await;
    }
}

/// There are none.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Signals)
    }

    pub(crate) async fn restart_asked(&mut self) {
        std::future::pending().await
    }
}
