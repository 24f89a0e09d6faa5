//! SIGINT and SIGTERM: the first asks for a graceful stop, the second ends the process at once.

use std::io;

use tokio::sync::watch;

/// Resolves when the server has been asked to stop. Clones see the same request.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens for the signals from now on.
    ///
    /// # Errors
    /// When the operating system does not let this process handle them.
    pub(crate) fn on_signal() -> io::Result<Self> {
        let (asked, receiver) = watch::channel(false);
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            let name = signals.next().await;
            tracing::info!(signal = name, "stopping: finishing the requests in flight");
            asked.send_replace(true);
            let name = signals.next().await;
            tracing::warn!(signal = name, "stopping at once");
            std::process::exit(1);
        });
        Ok(Shutdown(receiver))
    }

    /// A shutdown that nobody asks for, to check a configuration by.
    pub(crate) fn never() -> Self {
        Shutdown(watch::channel(false).1)
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // The sender is gone, and nobody will ask any more.
            std::future::pending::<()>().await;
        }
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
