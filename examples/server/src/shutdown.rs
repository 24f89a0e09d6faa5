//! SIGINT and SIGTERM: the first asks for a graceful stop, the second ends the process at once. A process that takes this
//! one's place asks for the first, too (see [`crate::restart`]).

use std::io;
use std::sync::Arc;

use tokio::sync::watch;

/// Resolves when the server has been asked to stop. Clones see the same request.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    phase: Arc<watch::Sender<Phase>>,
    seen: watch::Receiver<Phase>,
}

/// What is asked for; it only ever goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serve,
    /// Finish, as another process serves already.
    HandOver,
    /// Finish, and that is the end of the service.
    Stop,
    End,
}

impl Shutdown {
    /// Listens for the signals from now on.
    ///
    /// # Errors
    /// When the operating system does not let this process handle them.
    pub(crate) fn on_signal() -> io::Result<Self> {
        let shutdown = Shutdown::by_hand();
        let mut signals = Signals::new()?;
        let asked = shutdown.clone();
        tokio::spawn(async move {
            let name = signals.next().await;
            tracing::info!(signal = name, "stopping: finishing the requests in flight");
            asked.reach(Phase::Stop);
            let name = signals.next().await;
            tracing::warn!(signal = name, "stopping at once");
            asked.reach(Phase::End);
        });
        Ok(shutdown)
    }

    /// A shutdown that no signal asks for.
    pub(crate) fn by_hand() -> Self {
        let (phase, seen) = watch::channel(Phase::Serve);
        Shutdown {
            phase: Arc::new(phase),
            seen,
        }
    }

    /// Asks for it, as a signal does.
    pub(crate) fn ask(&self) {
        self.reach(Phase::Stop);
    }

    /// Asks for it, as another process takes over.
    #[cfg(unix)]
    pub(crate) fn hand_over(&self) {
        self.reach(Phase::HandOver);
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.seen.borrow() != Phase::Serve
    }

    /// Whether it was asked for by a process that serves in the place of this one.
    pub(crate) fn is_handed_over(&self) -> bool {
        *self.seen.borrow() == Phase::HandOver
    }

    pub(crate) async fn asked(&mut self) {
        self.reached(Phase::HandOver).await;
    }

    /// Resolves when nothing is to be finished any more.
    pub(crate) async fn at_once(&mut self) {
        self.reached(Phase::End).await;
    }

    /// A process that was replaced already stays so, whoever asks it to stop.
    fn reach(&self, next: Phase) {
        self.phase.send_if_modified(|phase| {
            let goes_on = match *phase {
                Phase::HandOver => next == Phase::End,
                phase => phase < next,
            };
            if goes_on {
                *phase = next;
            }
            goes_on
        });
    }

    async fn reached(&mut self, awaited: Phase) {
        // The sender is in `self`, so that there is one.
        let _ = self.seen.wait_for(|phase| *phase >= awaited).await;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}
