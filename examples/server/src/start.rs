//! From a configuration to a server that runs, and what is said when it has stopped.

use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt, io};

use metrics_exporter_prometheus::BuildError as MetricsError;
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tower_flowctl::serve::End;
use tower_hotswap::tls::HotTls;

use crate::admin::{self, Exposition, Token};
use crate::app::{App, OpenError, Shared};
use crate::assembly::{self, AssemblyError, RequestPlane};
use crate::config::{Config, Loader};
use crate::listen::{ListenError, Sockets};
use crate::logging::{self, LogControl};
use crate::reload::{self, Reloader};
use crate::run::Workers;
use crate::serve::{Port, serve as serve_listener};
use crate::shutdown::Shutdown;
use crate::tls::{self, TlsError};
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
    let sockets = Sockets::open(&config)?;
    let tls = tls(&config)?;
    // All that can be wrong with the settings is known: the process before this one may go.
    let patience = dismiss_predecessor(&config);
    let address = sockets.address(Port::Http);
    let shared = Arc::new(Shared::open(&config, address, shutdown, patience)?);
    let server = Server {
        app: App::new(shared, config),
        sockets,
        tls,
        exposition,
        log,
    };
    drop(entered);
    control.block_on(server.run(loader))
}

/// Builds everything that the configuration asks for, without a socket, and without its data: another process may serve from
/// both.
///
/// # Errors
/// What would keep the server from starting.
pub(crate) fn check(config: Config) -> Result<End, StartError> {
    if let Some(folder) = config
        .data
        .as_deref()
        .filter(|path| path.exists() && !path.is_dir())
    {
        let why = format!("{} is not a folder", folder.display());
        return Err(OpenError::Files(io::Error::other(why)).into());
    }
    let without_data = Config {
        data: None,
        ..config
    };
    let config = Arc::new(without_data);
    tls(&config)?;
    let shared = Shared::open(&config, None, Shutdown::never(), Duration::ZERO)?;
    reload::generation(&App::new(Arc::new(shared), config.clone()), config)?;
    print("the configuration is good\n");
    Ok(End::Drained)
}

/// Everything that was opened.
struct Server {
    app: App,
    sockets: Sockets,
    tls: Option<HotTls>,
    exposition: Exposition,
    log: LogControl,
}

impl Server {
    async fn run(self, loader: Loader) -> Result<End, StartError> {
        let Server {
            app,
            sockets,
            tls,
            exposition,
            log,
        } = self;
        // On this thread, so that deadlines and the descriptors' guard keep time under load.
        tokio::spawn(app.admission.maintain());
        tokio::spawn(tower_pool::Maintenance::new(app.pool.clone()).run());

        let reloader = Arc::new(reload::start(&app, loader, tls.clone())?);
        tokio::spawn(reloader.clone().follow(app.clone(), log));
        reload_on_signal(&reloader)?;
        tokio::spawn(reloader.clone().watch_certificates());
        tokio::spawn(reloader.clone().watch());
        tokio::spawn(remote::follow(reloader.clone()));
        let workers =
            Workers::start(&app, &sockets, reloader.service(), tls).map_err(StartError::Runtime)?;
        let token = Token::of(&app.config);
        let admin = serve_admin(&app, &sockets, exposition, &reloader, &token)?;
        hand_over_on_signal(&sockets)?;

        // What the operator chose the operator knows.
        let random = app.config.admin_token.is_none();
        print(&banner::text(&sockets, random.then(|| token.reveal())));
        let address = sockets.address(Port::Http).map(tracing::field::display);
        tracing::info!(address, process = std::process::id(), "listening");
        // The workers have their own copies; a port must not outlive them.
        drop(sockets);
        let mut asked = app.shutdown.clone();
        tokio::spawn(async move {
            asked.asked().await;
            notify_stopping();
        });

        let end = workers.ended().await.map_err(StartError::Runtime)?;
        if let Some(admin) = admin {
            // It answers until the last request has been.
            let _ = admin.await;
        }
        report(&app, end);
        Ok(end)
    }
}

fn tls(config: &Config) -> Result<Option<HotTls>, StartError> {
    match config.tls_listen {
        Some(_) => Ok(Some(tls::open(config)?)),
        None => Ok(None),
    }
}

fn serve_admin<S: RequestPlane>(
    app: &App,
    sockets: &Sockets,
    exposition: Exposition,
    reloader: &Arc<Reloader<S>>,
    token: &Token,
) -> Result<Option<JoinHandle<End>>, StartError> {
    let Some(socket) = sockets.of(Port::Admin).first() else {
        return Ok(None);
    };
    let listener = socket
        .try_clone()
        .and_then(|socket| assembly::admin_connection_plane(app, socket))
        .map_err(StartError::Runtime)?;
    let router = admin::router(app.clone(), exposition, reloader.clone(), token.clone());
    let serving = app.serving(Port::Admin);
    Ok(Some(tokio::spawn(serve_listener(
        listener, router, serving,
    ))))
}

/// What the drain came to.
fn report(app: &App, end: End) {
    let requests: u64 = app
        .traffic
        .counts()
        .iter()
        .map(|(_, counts)| counts.total())
        .sum();
    let connections: u64 = [Port::Http, Port::Https]
        .map(|port| app.connections.accepted(port))
        .iter()
        .sum();
    let uptime = humantime::format_duration(Duration::from_secs(app.started.elapsed().as_secs()));
    let buffers_out = app.pool.stats().in_use;
    match end {
        End::Drained => tracing::info!(
            requests, connections, %uptime, buffers_out,
            "stopped: every request was answered"
        ),
        End::Cut(cut) => tracing::warn!(
            connections = cut, requests, %uptime, buffers_out,
            "stopped: the drain timeout cut connections off"
        ),
    }
}

#[cfg(unix)]
fn dismiss_predecessor(config: &Config) -> Duration {
    match crate::restart::predecessor() {
        None => Duration::ZERO,
        Some(predecessor) => {
            crate::restart::dismiss(predecessor);
            // It has its drain timeout, and then its data to close.
            config.drain_timeout + Duration::from_secs(10)
        }
    }
}

#[cfg(not(unix))]
fn dismiss_predecessor(_config: &Config) -> Duration {
    Duration::ZERO
}

#[cfg(unix)]
fn reload_on_signal<S: RequestPlane>(reloader: &Arc<Reloader<S>>) -> Result<(), StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let asked = signal(SignalKind::hangup()).map_err(StartError::Runtime)?;
    tokio::spawn(reloader.clone().on_signal(asked));
    Ok(())
}

#[cfg(not(unix))]
fn reload_on_signal<S: RequestPlane>(_reloader: &Arc<Reloader<S>>) -> Result<(), StartError> {
    Ok(())
}

/// Readiness is told from here on, too: the successor is the one that systemd is to watch.
#[cfg(unix)]
fn hand_over_on_signal(sockets: &Sockets) -> Result<(), StartError> {
    let restarter = crate::restart::Restarter::new(sockets).map_err(StartError::Runtime)?;
    tokio::spawn(restarter.run());
    crate::notify::ready();
    Ok(())
}

#[cfg(not(unix))]
fn hand_over_on_signal(_sockets: &Sockets) -> Result<(), StartError> {
    Ok(())
}

#[cfg(unix)]
fn notify_stopping() {
    crate::notify::stopping();
}

#[cfg(not(unix))]
fn notify_stopping() {}

/// Why the server did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    Listen(ListenError),
    Tls(TlsError),
    Open(OpenError),
    Assembly(AssemblyError),
    Metrics(MetricsError),
    /// The operating system refused threads or signal handlers.
    Runtime(io::Error),
}

impl From<ListenError> for StartError {
    fn from(error: ListenError) -> Self {
        StartError::Listen(error)
    }
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        StartError::Tls(error)
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        StartError::Open(error)
    }
}

impl From<AssemblyError> for StartError {
    fn from(error: AssemblyError) -> Self {
        StartError::Assembly(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(source) => source.fmt(f),
            StartError::Tls(source) => source.fmt(f),
            StartError::Open(source) => source.fmt(f),
            StartError::Assembly(source) => source.fmt(f),
            StartError::Metrics(source) => write!(f, "cannot keep metrics: {source}"),
            StartError::Runtime(source) => write!(f, "cannot start: {source}"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            StartError::Listen(source) => source.source(),
            StartError::Tls(source) => source.source(),
            StartError::Open(source) => source.source(),
            StartError::Assembly(source) => source.source(),
            StartError::Metrics(source) => Some(source),
            StartError::Runtime(source) => Some(source),
        }
    }
}
