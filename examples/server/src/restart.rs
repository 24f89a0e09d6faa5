//! A restart that refuses no connection: SIGUSR2 starts the program again and hands it the listening sockets.
//!
//! ```text
//!  in memory
//!  old: SIGUSR2 ─► starts the new one with the sockets ─► serves on ───────────────► SIGUSR1 ─► drains, ends
//!  new:             settings, certificate, pools, site, routes are good ─► serves ─► SIGUSR1 to the old
//!
//!  with --data, which one process has at a time
//!  old: SIGUSR2 ─► starts the new one with the sockets ─► serves on ─► SIGUSR1 ─► drains, closes the shop, ends
//!  new:             the same are good, built once to see ─► SIGUSR1 to the old ─► waits, opens the shop ─► serves
//! ```
//!
//! The kernel keeps arriving connections in the queue of the sockets, which nobody closes. If the new program cannot
//! start, the old one has not noticed; with `--data` that is so up to the moment in which it asks for the shop. The sockets
//! are handed over as systemd does it, but without `LISTEN_PID`, which nobody can know before the process exists.
//!
//! There are two processes at most: who has started another starts no third, and who was started does so only when the one
//! before has ended.
//!
//! systemd is told of the new process by the new process before it dismisses the old one (`MAINPID=`), which ends without a
//! word: after `STOPPING=1` the whole service would be stopped.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;
use std::{io, thread};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Pid, Resource, getppid, getrlimit, kill_process};
use tokio::signal::unix::Signal;
use tokio::sync::oneshot;

use crate::config::Config;
use crate::listen::Sockets;
use crate::serve::Port;
use crate::shutdown::Shutdown;

/// Names the process that is to stop once this one can serve.
const REPLACES: &str = "SERVER_REPLACES";
/// How many milliseconds that process may take to finish, once it is asked.
const PATIENCE: &str = "SERVER_REPLACES_PATIENCE";
/// The ports that it listens on since its settings say so; the others it was given.
const BOUND: &str = "SERVER_REPLACES_BOUND";

/// What a process needs beyond its drain timeout: what is cut off has a second to go, the admin port and the log another
/// few, and then there is the database to close.
const TO_END: Duration = Duration::from_secs(15);

/// The process that this one was started by to take its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predecessor(Pid);

impl Predecessor {
    pub(crate) fn find() -> Option<Self> {
        let named = std::env::var(REPLACES).ok()?.parse().ok()?;
        // Only the parent is believed, so that a variable that was inherited stops nobody else.
        let parent = Pid::from_raw(named).filter(|named| getppid() == Some(*named));
        parent.map(Predecessor)
    }

    /// Asks it to finish, and returns how long that may take.
    pub(crate) fn dismiss(self) -> Duration {
        if self.is_there()
            && let Err(error) = kill_process(self.0, rustix::process::Signal::USR1)
        {
            tracing::warn!(%error, "the process before this one could not be asked to stop");
        }
        let millis = std::env::var(PATIENCE).ok();
        let millis = millis.and_then(|text| text.parse().ok());
        Duration::from_millis(millis.unwrap_or_default())
    }

    /// Whether it has not ended yet: the children of who has are another's.
    fn is_there(&self) -> bool {
        getppid() == Some(self.0)
    }

    /// Whether it listens on a port by its settings, and not since it was given the sockets.
    pub(crate) fn has_bound(&self, port: Port) -> bool {
        let bound = std::env::var(BOUND).unwrap_or_default();
        bound.split(':').any(|name| name == port.name())
    }
}

/// How this process was started, and what it hands over.
#[derive(Debug)]
pub(crate) struct Restarter {
    asked: Signal,
    dismissed: Signal,
    predecessor: Option<Predecessor>,
    program: PathBuf,
    sockets: Vec<(&'static str, OwnedFd)>,
    bound: String,
    patience: Duration,
    shutdown: Shutdown,
}

/// A process that was started to take this one's place.
#[derive(Debug)]
struct Successor {
    process: Option<Pid>,
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
}

impl Restarter {
    /// Keeps hold of the sockets. A restart is `asked` for by SIGUSR2, but not heeded while the predecessor is there, and this
    /// process `dismissed` by SIGUSR1.
    ///
    /// # Errors
    /// When the program's own path is unknown, or descriptors run out.
    pub(crate) fn new(
        sockets: &Sockets,
        config: &Config,
        shutdown: Shutdown,
        asked: Signal,
        dismissed: Signal,
        predecessor: Option<Predecessor>,
    ) -> io::Result<Self> {
        let mut kept = Vec::new();
        let mut bound = Vec::new();
        for port in Port::ALL {
            for socket in sockets.of(port) {
                kept.push((port.name(), socket.as_fd().try_clone_to_owned()?));
            }
            if sockets.are_bound(port) {
                bound.push(port.name());
            }
        }
        Ok(Restarter {
            asked,
            dismissed,
            predecessor,
            program: std::env::current_exe()?,
            sockets: kept,
            bound: bound.join(":"),
            patience: config.drain_timeout.saturating_add(TO_END),
            shutdown,
        })
    }

    /// Starts a successor at SIGUSR2, one at a time, once the predecessor has ended and for as long as this process does not
    /// stop. With that it lets the sockets go: while requests are finished nobody is to wait in their queues in vain.
    pub(crate) async fn run(mut self) {
        let mut successor = None;
        loop {
            tokio::select! {
                _ = self.asked.recv() => match (&successor, self.predecessor) {
                    (Some(_), _) => {
                        tracing::warn!("not restarting: a new process is starting already");
                    }
                    (None, Some(predecessor)) if predecessor.is_there() => tracing::warn!(
                        "not restarting: the process before this one is still finishing its requests"
                    ),
                    (None, _) => successor = self.restart(),
                },
                _ = self.dismissed.recv() => match successor {
                    Some(_) => {
                        tracing::info!(
                            "the new process takes over: finishing the requests in flight"
                        );
                        self.shutdown.hand_over();
                    }
                    None => tracing::warn!("SIGUSR1 is what a new process sends, and there is none"),
                },
                how = ended(&mut successor) => {
                    tracing::error!(how, "the new process did not start; going on");
                    successor = None;
                }
                () = self.shutdown.asked() => break,
            }
        }
        self.sockets.clear();
        let handed_over = self.shutdown.is_handed_over();
        if let Some(successor) = &successor
            && !handed_over
        {
            tracing::info!("the new process is stopped, too");
            successor.stop();
        }
        loop {
            tokio::select! {
                _ = self.asked.recv() => {
                    tracing::warn!("not restarting: this process is stopping");
                }
                how = ended(&mut successor) => {
                    match handed_over {
                        true => {
                            tracing::error!(how, "the new process has ended, and this one is stopping");
                        }
                        // It was asked to.
                        false => tracing::info!(how, "the new process has ended, too"),
                    }
                    successor = None;
                }
            }
        }
    }

    fn restart(&self) -> Option<Successor> {
        tracing::info!("restarting: the new process takes over the sockets");
        let started = self.start_successor();
        started
            .map_err(|error| tracing::error!(%error, "the new process cannot be started; going on"))
            .ok()
    }

    fn start_successor(&self) -> io::Result<Successor> {
        let sockets: Vec<_> = self.sockets.iter().map(|(_, socket)| socket).collect();
        let limit = getrlimit(Resource::Nofile).current;
        let (first, handed) = in_a_row(&sockets, above_all(limit, sockets.len()))?;
        // It outlives this process, or it failed. Who waits for it is there before it is, as threads may run out.
        let (started, starting) = mpsc::channel::<Child>();
        let (tell, ended) = oneshot::channel();
        thread::Builder::new().spawn(move || {
            if let Ok(mut child) = starting.recv() {
                let _ = tell.send(child.wait());
            }
        })?;
        // From here until the copies are dropped every child would inherit them; this is the only place that
        // starts one.
        for copy in &handed {
            fcntl_setfd(copy, FdFlags::empty())?;
        }
        let names: Vec<_> = self.sockets.iter().map(|(name, _)| *name).collect();
        let child = Command::new(&self.program)
            .args(std::env::args_os().skip(1))
            .env("LISTEN_FDS", handed.len().to_string())
            .env("LISTEN_FDS_FIRST_FD", first.to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env(REPLACES, std::process::id().to_string())
            .env(PATIENCE, self.patience.as_millis().to_string())
            .env(BOUND, &self.bound)
            .spawn()?;
        let process = Pid::from_raw(child.id().cast_signed());
        let _ = started.send(child);
        Ok(Successor { process, ended })
    }
}

/// Numbers from here on are not looked for first: the kernel keeps a table up to the highest in use, of eight bytes each, and
/// limits may be a billion.
const HIGH: u64 = 1 << 16;

/// Where a row of descriptors is likely to be free: above those in use, which is the limit less some room.
fn above_all(limit: Option<u64>, count: usize) -> RawFd {
    let limit = limit.unwrap_or(1024).min(HIGH);
    let first = limit.saturating_sub(64 + count as u64);
    // Below it are the standard streams.
    RawFd::try_from(first).unwrap_or(RawFd::MAX).max(3)
}

/// Copies of descriptors whose numbers follow each other, from `first` or the next such row on. The number of the first copy,
/// and all of them.
fn in_a_row(descriptors: &[&OwnedFd], mut first: RawFd) -> io::Result<(RawFd, Vec<OwnedFd>)> {
    let mut copies = Vec::new();
    while let Some(descriptor) = descriptors.get(copies.len()) {
        let next = first + copies.len() as RawFd;
        // The lowest that is free from there on.
        let copy = fcntl_dupfd_cloexec(descriptor, next).map_err(|error| {
            io::Error::other(format!("no row of free descriptors is left: {error}"))
        })?;
        if copy.as_raw_fd() == next {
            copies.push(copy);
        } else {
            first = copy.as_raw_fd();
            copies.clear();
        }
    }
    Ok((first, copies))
}

impl Successor {
    fn stop(&self) {
        // Who has ended is not asked for again by this number: its end is waited for by a thread that tells of it.
        if let Some(process) = self.process
            && let Err(error) = kill_process(process, rustix::process::Signal::TERM)
        {
            tracing::warn!(%error, "the new process could not be stopped");
        }
    }
}

/// How the successor ended; never, if there is none.
async fn ended(successor: &mut Option<Successor>) -> String {
    let Some(successor) = successor else {
        return std::future::pending().await;
    };
    match (&mut successor.ended).await {
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "nobody waited for it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_stays_small() {
        for (limit, first) in [
            (Some(1024), 956),
            (Some(1 << 20), 65_468),
            (Some(u64::MAX), 65_468),
            (None, 956),
            (Some(65), 3),
        ] {
            assert_eq!(above_all(limit, 4), first, "{limit:?}");
        }
    }

    #[test]
    fn a_row_is_looked_for_beyond_what_is_in_use() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = OwnedFd::from(socket);
        // In the way of a row of three.
        let taken = fcntl_dupfd_cloexec(&socket, 202).unwrap();
        let (first, copies) = in_a_row(&[&socket; 3], 200).unwrap();
        assert!(first > taken.as_raw_fd(), "{first}");
        let numbers: Vec<_> = copies.iter().map(AsRawFd::as_raw_fd).collect();
        assert_eq!(numbers, [first, first + 1, first + 2]);
        let refused = in_a_row(&[&socket], RawFd::MAX).unwrap_err();
        assert!(refused.to_string().contains("no row of"), "{refused}");
    }
}
