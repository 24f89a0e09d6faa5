//! What handlers share: what lives as long as the process, and what a reload replaces.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{error, fmt, io};

use tempfile::TempDir;
use tower_flowctl::admission::{Admission, ConfigError as AdmissionError};
use tower_flowctl::breaker::Breaker;
use tower_flowctl::http2::{Http2Metrics, ReceiveBudget};
use tower_flowctl::limit::{Gradient, Limiter, Queue};
use tower_pool::{ConfigError, LeakTracking, Pool};
use tower_zerocopy_fs::Metrics;

use crate::assembly;
use crate::config::{Config, Upstream};
use crate::folder::Folder;
use crate::observe::{Tracer, Traffic};
use crate::pages::RouteList;
use crate::proxy::{Proxies, Proxy};
use crate::serve::{Connections, Port, Serving};
use crate::shutdown::Shutdown;
use crate::site;
use crate::store::{KeeperError, Store};
use crate::uploads::{Shelf, at_once};

/// What lives as long as the process.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) uploads: Arc<Shelf>,
    /// The memory of all bodies (tower-pool).
    pub(crate) pool: Pool,
    /// What left by which way (tower-zerocopy-fs).
    pub(crate) files: Arc<Metrics>,
    pub(crate) folder: Folder,
    pub(crate) traffic: Arc<Traffic>,
    /// Where the spans of requests go; `None` without a collector.
    pub(crate) tracer: Option<Tracer>,
    /// Who may come in (tower-flowctl).
    pub(crate) admission: Admission,
    /// Which routes are relieved of their requests (tower-flowctl).
    pub(crate) breaker: Breaker,
    /// How many requests may be in flight (tower-flowctl).
    pub(crate) limiter: Limiter,
    pub(crate) connections: Arc<Connections>,
    /// What HTTP/2 clients asked for (tower-flowctl).
    pub(crate) http2: Arc<Http2Metrics>,
    /// What uploads over HTTP/2 are promised (tower-flowctl).
    pub(crate) receive_budget: Option<ReceiveBudget>,
    /// Whether requests can come before their TLS handshake has ended, whatever the settings say by now.
    pub(crate) early_data: bool,
    pub(crate) shutdown: Shutdown,
    pub(crate) started: Instant,
    pub(crate) proxies: Proxies,
    /// The port in the clear, for the proxy to this server itself.
    address: Option<SocketAddr>,
    pub(crate) site: PathBuf,
    /// Holds what is not to outlive the process; removed with it.
    scratch: TempDir,
}

impl Shared {
    /// Opens everything that the configuration names.
    ///
    /// # Errors
    /// When the data cannot be opened, or another process keeps it for longer than `patience` or until shutdown is asked for.
    pub(crate) fn open(
        config: &Config,
        address: Option<SocketAddr>,
        shutdown: Shutdown,
        patience: Duration,
    ) -> Result<Self, OpenError> {
        let scratch = tempfile::Builder::new().prefix("server-").tempdir()?;
        let site = scratch.path().join("site");
        site::write(&site)?;
        let store = match &config.data {
            Some(folder) => Store::in_folder(folder, patience, &shutdown)?,
            None => Store::in_memory(),
        };
        if config.demo_data.is_on() {
            store.fill_if_new()?;
        }
        let uploads = config
            .data
            .as_deref()
            .unwrap_or(scratch.path())
            .join("uploads");
        let at_once = at_once(config.body_budget);
        let files = Arc::new(Metrics::default());
        let pool = pool(config)?;
        // Responses find it without being told (`PooledJson`).
        let pool = match Pool::set_global(pool.clone()) {
            Ok(()) => pool,
            Err(_) => Pool::global().clone(),
        };
        let limiter = Limiter::new(Gradient::default(), Queue::default());
        Ok(Shared {
            breaker: assembly::breaker(&limiter),
            limiter,
            store,
            uploads: Arc::new(Shelf::open(&uploads, at_once, files.clone())?),
            pool,
            files,
            folder: Folder::default(),
            traffic: Arc::default(),
            tracer: config.otlp_collector.map(Tracer::start).transpose()?,
            admission: assembly::admission(config)?,
            connections: Arc::default(),
            http2: Arc::default(),
            receive_budget: config.receive_budget.map(ReceiveBudget::new),
            early_data: config.tls_early_data.is_some(),
            shutdown,
            started: Instant::now(),
            proxies: Proxies::default(),
            address,
            site,
            scratch,
        })
    }

    /// Removes what is not to outlive the process. After that it can only end.
    pub(crate) fn remove_scratch(&self) {
        if let Err(error) = std::fs::remove_dir_all(self.scratch.path()) {
            tracing::warn!(%error, "temporary files are left behind");
        }
    }
}

/// Whether what lives as long as the process can be made, but for its data.
///
/// # Errors
/// As of [`Shared::open`].
pub(crate) fn check(config: &Config) -> Result<(), OpenError> {
    let data = config.data.as_deref();
    if let Some(folder) = data.filter(|path| path.exists() && !path.is_dir()) {
        let why = format!("{} is not a folder", folder.display());
        return Err(OpenError::Files(io::Error::other(why)));
    }
    pool(config)?;
    assembly::admission(config)?;
    Ok(())
}

fn pool(config: &Config) -> Result<Pool, ConfigError> {
    let pool = Pool::builder().limit(config.body_budget);
    pool.leak_tracking(LeakTracking::Off).build()
}

/// What the handlers of one configuration see.
#[derive(Debug, Clone)]
pub(crate) struct App {
    shared: Arc<Shared>,
    pub(crate) config: Arc<Config>,
    pub(crate) proxy: Option<Arc<Proxy>>,
    /// Set once the router is complete: the list of routes contains the page that shows it.
    pub(crate) routes: Arc<OnceLock<RouteList>>,
}

impl App {
    pub(crate) fn new(shared: Arc<Shared>, config: Arc<Config>) -> Self {
        let upstream = match config.proxy_upstream {
            Upstream::Off => None,
            Upstream::Itself => shared.address,
            Upstream::Address(address) => Some(address),
        };
        App {
            proxy: upstream.map(|upstream| shared.proxies.to(upstream)),
            shared,
            config,
            routes: Arc::default(),
        }
    }

    /// The same application under another configuration.
    pub(crate) fn with(&self, config: Arc<Config>) -> Self {
        App::new(self.shared.clone(), config)
    }

    /// What a listener of a port serves with.
    pub(crate) fn serving(&self, port: Port) -> Serving {
        Serving {
            port,
            config: self.config.clone(),
            connections: self.connections.clone(),
            http2: self.http2.clone(),
            receive_budget: self.receive_budget.clone(),
            shutdown: self.shutdown.clone(),
        }
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// Why the application cannot start.
#[derive(Debug)]
pub(crate) enum OpenError {
    Store(KeeperError),
    Pool(ConfigError),
    Admission(AdmissionError),
    Files(io::Error),
}

impl From<KeeperError> for OpenError {
    fn from(error: KeeperError) -> Self {
        OpenError::Store(error)
    }
}

impl From<ConfigError> for OpenError {
    fn from(error: ConfigError) -> Self {
        OpenError::Pool(error)
    }
}

impl From<AdmissionError> for OpenError {
    fn from(error: AdmissionError) -> Self {
        OpenError::Admission(error)
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        OpenError::Files(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Store(source) => write!(f, "cannot open the shop: {source}"),
            OpenError::Pool(source) => write!(f, "cannot make the pool of bodies: {source}"),
            OpenError::Admission(source) => write!(f, "cannot limit connections: {source}"),
            OpenError::Files(source) => write!(f, "cannot prepare the folders: {source}"),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            OpenError::Store(source) => Some(source),
            OpenError::Pool(source) => Some(source),
            OpenError::Admission(source) => Some(source),
            OpenError::Files(source) => Some(source),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::{self, Command};

    /// An application under the default settings.
    pub(crate) fn app() -> App {
        let Ok(Command::Serve(config, _)) = config::load(["server".into()], []) else {
            panic!("the defaults are valid")
        };
        let shared = Shared::open(&config, None, Shutdown::by_hand(), Duration::ZERO);
        App::new(
            Arc::new(shared.expect("nothing is in the way")),
            Arc::new(*config),
        )
    }
}
