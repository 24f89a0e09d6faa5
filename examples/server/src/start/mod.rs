//! From a configuration to a server that runs, and what is said when it has stopped.

mod error;
mod finish;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tower_flowctl::serve::End;
use tower_hotswap::tls::HotTls;

use self::error::StartError;
use self::finish::{announce_stop, end_at_once, report, write_out};
use crate::admin::{self, Exposition, Token};
use crate::app::{self, App, OpenError, Shared};
use crate::assembly::{self, RequestPlane};
use crate::config::{Config, Loader};
use crate::listen::Sockets;
use crate::logging::{self, LogControl};
use crate::reload::{self, Reloader};
use crate::restart::Predecessor;
#[cfg(unix)]
use crate::restart::Restarter;
use crate::run::Workers;
use crate::serve::{Port, Serving, serve as serve_listener};
use crate::shutdown::Shutdown;
use crate::signals::Signals;
use crate::tls;
use crate::{banner, print, remote};

/// Serves until a signal ends it.
///
/// # Errors
/// When it cannot start.
pub(crate) fn serve(config: Config, loader: Loader) -> Result<End, StartError> {
    let log = logging::start(&config);
    let config = Arc::new(config);
    // The main thread's own: signals, the admin port, everything that watches.
    let control = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let entered = control.enter();
    // Before anything that keeps metrics is made.
    let exposition = Exposition::install().map_err(StartError::Metrics)?;
    let shutdown = Shutdown::on_signal().map_err(StartError::Runtime)?;
    let mut signals = Signals::new().map_err(StartError::Runtime)?;
    let mut predecessor = Predecessor::find();
    let sockets = Sockets::open(&config, predecessor.as_ref())?;
    let tls = tls(&config)?;
    let mut patience = Duration::ZERO;
    if config.data.is_some()
        && let Some(predecessor) = predecessor.take()
    {
        // It has the data, and gives it up when it ends: all that can be known before is known by then.
        prove(&config)?;
        patience = take_over(predecessor);
        let patience = humantime::format_duration(patience);
        let process = std::process::id();
        tracing::info!(%patience, process, "waiting for the process before to end");
    }
    let address = sockets.address(Port::Http);
    let opened = open(&config, address, &shutdown, patience, &mut signals);
    let shared = match control.block_on(opened) {
        Ok(shared) => Arc::new(shared),
        Err(error) if shutdown.is_asked() => {
            tracing::warn!(%error, "stopped before it has served");
            return Ok(End::Drained);
        }
        Err(error) => return Err(error.into()),
    };
    let server = Server {
        app: App::new(shared, config),
        signals,
        sockets,
        tls,
        exposition,
        log,
        predecessor,
    };
    drop(entered);
    control.block_on(server.run(loader))
}

/// Opens the data on a thread of its own: it may have to wait for another process, and signals are to be seen meanwhile. Who
/// asks for the end ends that; a restart is refused.
async fn open(
    config: &Arc<Config>,
    address: Option<SocketAddr>,
    shutdown: &Shutdown,
    patience: Duration,
    signals: &mut Signals,
) -> Result<Shared, OpenError> {
    let (config, shutdown) = (config.clone(), shutdown.clone());
    let mut opening =
        tokio::task::spawn_blocking(move || Shared::open(&config, address, shutdown, patience));
    loop {
        tokio::select! {
            opened = &mut opening => {
                return opened.unwrap_or_else(|error| Err(io::Error::other(error).into()));
            }
            () = signals.restart_asked() => {
                tracing::warn!("not restarting: this process does not serve yet");
            }
        }
    }
}

/// Builds everything that the configuration asks for, without a socket, and without its data: another process may serve from
/// both.
///
/// # Errors
/// What would keep the server from starting.
pub(crate) fn check(config: Config) -> Result<End, StartError> {
    tls(&config)?;
    prove(&config)?;
    print("the configuration is good\n");
    Ok(End::Drained)
}

/// As [`check`], but for the sockets' certificate.
fn prove(config: &Config) -> Result<(), StartError> {
    app::check(config)?;
    let config = Arc::new(Config {
        data: None,
        ..config.clone()
    });
    let shared = Shared::open(&config, None, Shutdown::by_hand(), Duration::ZERO)?;
    reload::generation(&App::new(Arc::new(shared), config.clone()), config)?;
    Ok(())
}

/// Everything that was opened.
struct Server {
    app: App,
    signals: Signals,
    sockets: Sockets,
    tls: Option<HotTls>,
    exposition: Exposition,
    log: LogControl,
    /// Dismissed once this process serves.
    predecessor: Option<Predecessor>,
}

impl Server {
    async fn run(self, loader: Loader) -> Result<End, StartError> {
        let Server {
            app,
            signals,
            sockets,
            tls,
            exposition,
            log,
            predecessor,
        } = self;
        tokio::spawn(end_at_once(app.clone()));
        // On this thread, so that deadlines and the descriptors' guard keep time under load.
        tokio::spawn(app.admission.maintain());
        tokio::spawn(tower_pool::Maintenance::new(app.pool.clone()).run());
        tokio::spawn({
            let app = app.clone();
            async move { app.proxies.maintain().await }
        });

        let reloader = Arc::new(reload::start(&app, loader, tls.clone())?);
        tokio::spawn(reloader.clone().follow(app.clone(), log));
        tokio::spawn(reloader.clone().watch_certificates());
        tokio::spawn(reloader.clone().watch());
        tokio::spawn(remote::follow(reloader.clone()));
        let workers =
            Workers::start(&app, &sockets, reloader.service(), tls).map_err(StartError::Runtime)?;
        let token = Token::of(&app.config);
        // The admin port answers until the last request has been: 503 at `/readyz` is what balancers are to see.
        let finished = Shutdown::by_hand();
        let admin = serve_admin(&app, &sockets, exposition, &reloader, &token, &finished)?;
        heed(signals, &app, &sockets, &reloader, predecessor)?;

        // What the operator chose the operator knows.
        let random = app.config.admin_token.is_none();
        print(&banner::text(&sockets, random.then(|| token.reveal())));
        let address = sockets.address(Port::Http).map(tracing::field::display);
        tracing::info!(address, process = std::process::id(), "listening");
        match predecessor {
            Some(predecessor) => _ = take_over(predecessor),
            None => notify_ready(),
        }
        // The workers have their own copies; a port must not outlive them.
        drop(sockets);
        tokio::spawn(announce_stop(app.clone(), finished.clone()));

        let end = workers.ended().await.map_err(StartError::Runtime)?;
        finished.ask();
        if let Some(admin) = admin {
            let _ = admin.await;
        }
        write_out(&app);
        report(&app, end);
        app.remove_scratch();
        Ok(end)
    }
}

fn tls(config: &Config) -> Result<Option<HotTls>, StartError> {
    match config.tls_listen {
        Some(_) => Ok(Some(tls::open(config)?)),
        None => Ok(None),
    }
}

/// How long the requests of the admin port have, once all others were answered.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

fn serve_admin<S: RequestPlane>(
    app: &App,
    sockets: &Sockets,
    exposition: Exposition,
    reloader: &Arc<Reloader<S>>,
    token: &Token,
    finished: &Shutdown,
) -> Result<Option<JoinHandle<End>>, StartError> {
    let Some(socket) = sockets.of(Port::Admin).first() else {
        return Ok(None);
    };
    let listener = socket
        .try_clone()
        .and_then(|socket| assembly::admin_connection_plane(app, socket))
        .map_err(StartError::Runtime)?;
    let router = admin::router(app.clone(), exposition, reloader.clone(), token.clone());
    let config = Config {
        drain_timeout: app.config.drain_timeout.min(ADMIN_DRAIN),
        ..Config::clone(&app.config)
    };
    let serving = Serving {
        config: Arc::new(config),
        shutdown: finished.clone(),
        ..app.serving(Port::Admin)
    };
    Ok(Some(tokio::spawn(serve_listener(
        listener,
        |_| stream::empty(),
        router,
        serving,
    ))))
}

/// Has systemd follow this process, and only then the one before it end. Returns how long that may take.
fn take_over(predecessor: Predecessor) -> Duration {
    notify_ready();
    predecessor.dismiss()
}

/// Does what signals ask for.
#[cfg(unix)]
fn heed<S: RequestPlane>(
    signals: Signals,
    app: &App,
    sockets: &Sockets,
    reloader: &Arc<Reloader<S>>,
    predecessor: Option<Predecessor>,
) -> Result<(), StartError> {
    let Signals {
        reload,
        restart,
        dismissed,
    } = signals;
    tokio::spawn(reloader.clone().on_signal(reload));
    let shutdown = app.shutdown.clone();
    let config = &app.config;
    let restarter = Restarter::new(sockets, config, shutdown, restart, dismissed, predecessor);
    tokio::spawn(restarter.map_err(StartError::Runtime)?.run());
    Ok(())
}

#[cfg(not(unix))]
fn heed<S: RequestPlane>(
    _signals: Signals,
    _app: &App,
    _sockets: &Sockets,
    _reloader: &Arc<Reloader<S>>,
    _predecessor: Option<Predecessor>,
) -> Result<(), StartError> {
    Ok(())
}

#[cfg(unix)]
use crate::notify::ready as notify_ready;

#[cfg(not(unix))]
fn notify_ready() {}
