//! A restart that refuses no connection: SIGUSR2 starts the program again and hands it the listening sockets.
//!
//! ```text
//!  old: SIGUSR2 ─► starts the new one with the sockets ─► serves on ─────► SIGTERM ─► drains, closes the shop
//!  new:             settings, sockets, certificate are good ─► SIGTERM to the old ─► opens the shop ─► serves
//! ```
//!
//! Between the two the kernel keeps arriving connections in the queue of the sockets, which nobody closes. If the
//! new program cannot start, the old one has not noticed. The sockets are handed over as systemd does it, but
//! without `LISTEN_PID`, which nobody can know before the process exists.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Pid, Resource, getppid, getrlimit, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::listen::Sockets;
use crate::serve::Port;

/// Names the process that is to stop once this one can serve.
const REPLACES: &str = "SERVER_REPLACES";

/// How this process was started, and what it hands over.
#[derive(Debug)]
pub(crate) struct Restarter {
    asked: Signal,
    program: PathBuf,
    sockets: Vec<(&'static str, OwnedFd)>,
}

/// The process that this one was started by to take its place.
pub(crate) fn predecessor() -> Option<Pid> {
    let named = std::env::var(REPLACES).ok()?.parse().ok()?;
    // Only the parent is believed, so that a variable that was inherited stops nobody else.
    Pid::from_raw(named).filter(|named| getppid() == Some(*named))
}

/// Asks the predecessor to finish.
pub(crate) fn dismiss(predecessor: Pid) {
    if let Err(error) = kill_process(predecessor, rustix::process::Signal::TERM) {
        tracing::warn!(%error, "the process before this one could not be asked to stop");
    }
}

impl Restarter {
    /// Keeps hold of the sockets, and listens for the signal from now on.
    ///
    /// # Errors
    /// When the program's own path is unknown, descriptors run out, or the signal is not to be had.
    pub(crate) fn new(sockets: &Sockets) -> io::Result<Self> {
        let mut kept = Vec::new();
        for port in Port::ALL {
            for socket in sockets.of(port) {
                kept.push((port.name(), socket.as_fd().try_clone_to_owned()?));
            }
        }
        Ok(Restarter {
            asked: signal(SignalKind::user_defined2())?,
            program: std::env::current_exe()?,
            sockets: kept,
        })
    }

    /// Starts a successor for each SIGUSR2, for ever.
    pub(crate) async fn run(mut self) {
        while self.asked.recv().await.is_some() {
            tracing::info!("restarting: the new process takes over the sockets");
            match self.start_successor() {
                Ok(mut child) => {
                    std::thread::spawn(move || {
                        // It outlives this process, or it failed.
                        match child.wait() {
                            Ok(status) => {
                                tracing::error!(%status, "the new process did not start; going on")
                            }
                            Err(error) => {
                                tracing::error!(%error, "the new process is lost; going on")
                            }
                        }
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "the new process cannot be started; going on")
                }
            }
        }
    }

    fn start_successor(&self) -> io::Result<std::process::Child> {
        // A row of numbers above those in use: the limit less some room.
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(1024);
        let first = i32::try_from(limit).unwrap_or(i32::MAX) - 64 - self.sockets.len() as i32;
        let mut handed = Vec::new();
        for (expected, (_, socket)) in (first..).zip(&self.sockets) {
            let copy = fcntl_dupfd_cloexec(socket, expected)?;
            if std::os::fd::AsRawFd::as_raw_fd(&copy) != expected {
                return Err(io::Error::other("no row of free descriptors is left"));
            }
            handed.push(copy);
        }
        // From here until the copies are dropped every child would inherit them; this is the only place that
        // starts one.
        for copy in &handed {
            fcntl_setfd(copy, FdFlags::empty())?;
        }
        let names: Vec<_> = self.sockets.iter().map(|(name, _)| *name).collect();
        Command::new(&self.program)
            .args(std::env::args_os().skip(1))
            .env("LISTEN_FDS", handed.len().to_string())
            .env("LISTEN_FDS_FIRST_FD", first.to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env(REPLACES, std::process::id().to_string())
            .spawn()
    }
}
