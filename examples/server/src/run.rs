//! How work is spread over the cores: one runtime that shares it, or one runtime a core.
//!
//! Either way the ports for everybody are served by threads of their own. The main thread keeps the admin port
//! and the signals, so that they answer when every other core is busy.

use std::convert::Infallible;
use std::{io, net, thread};

use futures_util::stream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tower_flowctl::serve::End;
use tower_hotswap::tls::{HotTls, HotTlsListener};

use crate::app::App;
use crate::assembly::{self, RequestPlane};
use crate::config::{Config, RunMode};
use crate::listen::{Sockets, threads};
use crate::serve::{Port, serve};

/// The threads that serve; each says on the channel how it ended.
#[derive(Debug)]
pub(crate) struct Workers {
    ends: mpsc::Receiver<io::Result<End>>,
    /// Of the multi-thread mode, kept until the end.
    runtime: Option<Runtime>,
    /// Of the thread-per-core mode: dropped when all have ended, so that no runtime goes before.
    all_ended: watch::Sender<()>,
    /// Closed when the last of its threads has dropped its runtime.
    gone: mpsc::Receiver<Infallible>,
}

/// What one worker serves.
#[derive(Clone)]
struct Work<S> {
    app: App,
    service: S,
    tls: Option<HotTls>,
}

impl Workers {
    /// Starts serving the sockets.
    ///
    /// # Errors
    /// When the operating system refuses threads.
    pub(crate) fn start<S: RequestPlane>(
        app: &App,
        sockets: &Sockets,
        service: S,
        tls: Option<HotTls>,
    ) -> io::Result<Self> {
        let config = app.config.clone();
        let work = Work {
            app: app.clone(),
            service,
            tls,
        };
        let (ended, ends) = mpsc::channel(threads(&config).max(1));
        let (all_ended, others) = watch::channel(());
        let (going, gone) = mpsc::channel(1);
        let runtime = match config.run_mode {
            RunMode::MultiThread => Some(shared(&config, work, share(sockets, 1)?, ended)?),
            RunMode::ThreadPerCore => {
                let count = threads(&config);
                for (core, share) in share(sockets, count)?.into_iter().enumerate() {
                    let all = All {
                        ended: ended.clone(),
                        others: others.clone(),
                        _going: going.clone(),
                    };
                    pinned(core, work.clone(), share, all)?;
                }
                None
            }
        };
        Ok(Workers {
            ends,
            runtime,
            all_ended,
            gone,
        })
    }

    /// Waits until every thread has ended.
    pub(crate) async fn ended(mut self) -> io::Result<End> {
        let mut cut = 0;
        while let Some(end) = self.ends.recv().await {
            if let End::Cut(connections) = end? {
                cut += connections;
            }
        }
        if let Some(runtime) = self.runtime {
            // What was cut off may still be running.
            runtime.shutdown_background();
        }
        drop(self.all_ended);
        let _ = self.gone.recv().await;
        Ok(match cut {
            0 => End::Drained,
            _ => End::Cut(cut),
        })
    }
}

/// The sockets of one worker.
type Share = Vec<(Port, net::TcpListener)>;

/// Deals the sockets of each port out to the workers. If there are fewer than workers, some are shared: all
/// workers then accept from the same queue.
fn share(sockets: &Sockets, workers: usize) -> io::Result<Vec<Share>> {
    let mut shares: Vec<Share> = (0..workers).map(|_| Vec::new()).collect();
    for port in [Port::Http, Port::Https] {
        let of_port = sockets.of(port);
        if of_port.is_empty() {
            continue;
        }
        for turn in 0..workers.max(of_port.len()) {
            let socket = of_port[turn % of_port.len()].try_clone()?;
            shares[turn % workers].push((port, socket));
        }
    }
    Ok(shares)
}

/// One runtime whose threads take each other's work.
fn shared<S: RequestPlane>(
    config: &Config,
    work: Work<S>,
    shares: Vec<Share>,
    ended: mpsc::Sender<io::Result<End>>,
) -> io::Result<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads(config))
        .thread_name("worker")
        .enable_all()
        .build()?;
    for share in shares {
        let (work, ended) = (work.clone(), ended.clone());
        runtime.spawn(async move {
            // Who does not listen any more does not wait for the end.
            let _ = ended.send(work.serve(share).await).await;
        });
    }
    Ok(runtime)
}

/// How one thread of several ends with the others.
struct All {
    ended: mpsc::Sender<io::Result<End>>,
    others: watch::Receiver<()>,
    _going: mpsc::Sender<Infallible>,
}

/// A thread that stays on one core, with a runtime of its own: nothing it holds moves to another core.
fn pinned<S: RequestPlane>(core: usize, work: Work<S>, share: Share, all: All) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new()
        .name(format!("worker-{core}"))
        .spawn(move || {
            pin_to(core);
            let All {
                ended,
                mut others,
                _going,
            } = all;
            runtime.block_on(async {
                let _ = ended.send(work.serve(share).await).await;
                drop(ended);
                // A connection to an upstream that was made here may carry what another thread sends on.
                let _ = others.changed().await;
            });
            runtime.shutdown_background();
        })?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn pin_to(core: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    // Of the cores that this process may use, which a container may have been given only some of.
    let allowed = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let count = allowed.count().max(1) as usize;
    let Some(chosen) = cores.nth(core % count) else {
        return;
    };
    let mut only = CpuSet::new();
    only.set(chosen);
    if let Err(error) = sched_setaffinity(None, &only) {
        tracing::warn!(%error, core = chosen, "this thread is not pinned");
    }
}

#[cfg(not(target_os = "linux"))]
fn pin_to(_core: usize) {}

impl<S: RequestPlane> Work<S> {
    /// Serves every socket of a share until all have drained.
    async fn serve(self, share: Share) -> io::Result<End> {
        let mut listeners = tokio::task::JoinSet::new();
        for (port, socket) in share {
            let serving = self.app.serving(port);
            let service = self.service.clone();
            match (port, &self.tls) {
                (Port::Https, Some(tls)) => {
                    let listener = assembly::tls_connection_plane(&self.app, socket, tls.clone())?;
                    let close = HotTlsListener::into_handshakes;
                    listeners.spawn(serve(listener, close, service, serving));
                }
                _ => {
                    let listener = assembly::connection_plane(&self.app, socket)?;
                    listeners.spawn(serve(listener, |_| stream::empty(), service, serving));
                }
            }
        }
        let mut cut = 0;
        while let Some(end) = listeners.join_next().await {
            match end {
                Ok(End::Drained) => {}
                Ok(End::Cut(connections)) => cut += connections,
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(match cut {
            0 => End::Drained,
            _ => End::Cut(cut),
        })
    }
}
