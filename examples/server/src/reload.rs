//! Settings that change while the server runs: tower-hotswap around the whole request plane.
//!
//! A generation is a configuration with the request plane built for it. The file and SIGHUP make a new one; it is
//! built beside the running one, asked for `/healthz`, and put in its place, or refused with the running one
//! untouched. What cannot be inside of the generation (limits of connections, the log's filter) follows whichever is
//! current, so that a rollback takes it back as well.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::{error, fmt};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};
use tower::Service;
use tower_hotswap::{BoxError, Draft, Handle, Published, Role, SwapError, Version, checks};

use crate::app::App;
use crate::assembly::{self, AssemblyError, RequestPlane};
use crate::config::settings::Reload;
use crate::config::{Config, ConfigError, Loader};
use crate::logging::LogControl;

/// A configuration and the request plane that was built for it.
#[derive(Debug, Clone)]
pub(crate) struct Generation<S> {
    config: Arc<Config>,
    service: S,
}

impl<S: RequestPlane> Service<Request> for Generation<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.service.call(request)
    }
}

/// Makes the generation of a configuration.
type Build<S> = dyn Fn(Arc<Config>) -> Result<Generation<S>, AssemblyError> + Send + Sync;

/// Publishes configurations.
pub(crate) struct Reloader<S> {
    handle: Handle<Generation<S>>,
    build: Arc<Build<S>>,
    loader: Loader,
    /// What some settings stay at until the next start.
    started_with: Arc<Config>,
    published: AtomicU64,
}

/// The first generation of an application, and what replaces it.
///
/// # Errors
/// When the application cannot be built.
pub(crate) fn start(
    app: &App,
    loader: Loader,
) -> Result<Reloader<impl RequestPlane + use<>>, AssemblyError> {
    let config = app.config.clone();
    let app = app.clone();
    let build = move |config: Arc<Config>| {
        let service = assembly::request_plane(app.with(config.clone()))?;
        Ok(Generation { config, service })
    };
    let content = config.to_toml();
    let version = Version::parse("1.0.0", content.as_bytes()).expect("it is a version");
    let health = || {
        Request::get("/healthz")
            .body(Body::empty())
            .expect("it is a request")
    };
    let handle = Handle::builder(build(config.clone())?, version)
        .origin("start")
        .content(content.into_bytes())
        .check(checks::probe("health", health, |status| {
            status.is_success()
        }))
        .build();
    Ok(Reloader {
        handle,
        build: Arc::new(build),
        loader,
        started_with: config,
        published: AtomicU64::new(0),
    })
}

impl<S: RequestPlane> Reloader<S> {
    /// The service that passes each request to the generation of its time.
    pub(crate) fn service(&self) -> impl RequestPlane + use<S> {
        self.handle.service().into_axum()
    }

    /// What is in service and how many requests it answers, for the dashboard.
    pub(crate) fn generations(&self) -> Value {
        let generations = self.handle.generations();
        let rows = generations.iter().map(|generation| {
            json!({
                "version": generation.snapshot.version.short(),
                "origin": &*generation.snapshot.origin,
                "role": match generation.role {
                    Role::Primary => "current",
                    Role::Canary => "canary",
                    Role::Retired => "draining",
                },
                "in_flight": generation.in_flight,
            })
        });
        rows.collect()
    }

    /// Reads the settings again and puts what has become of them into force.
    ///
    /// # Errors
    /// When a setting cannot be used, or the generation built from it is refused; the running one goes on.
    pub(crate) async fn reload(&self, origin: &str) -> Result<Reloaded, ReloadError> {
        let config = self.loader.read(None)?;
        let running = self.handle.current().value().config.clone();
        if config.changed_since(&running).is_empty() {
            return Ok(Reloaded::Unchanged);
        }
        let draft = self.draft(config).origin(origin);
        Ok(Reloaded::Published(self.handle.publish(draft).await?))
    }

    fn draft(&self, config: Config) -> Draft<Generation<S>> {
        let content = config.to_toml();
        let number = self.published.fetch_add(1, Ordering::Relaxed) + 1;
        let version = Version::parse(&format!("1.0.{number}"), content.as_bytes());
        let fixed: Vec<_> = config
            .changed_since(&self.started_with)
            .iter()
            .filter(|setting| setting.reload == Reload::Restart)
            .map(|setting| setting.key)
            .collect();
        let note = match fixed.as_slice() {
            [] => String::new(),
            fixed => format!("takes effect at the next start: {}", fixed.join(", ")),
        };
        let build = self.build.clone();
        Draft::build(version.expect("it is a version"), move || {
            build(Arc::new(config)).map_err(BoxError::from)
        })
        .content(content.into_bytes())
        .note(note)
    }

    /// Lets what is outside of the generations follow the current one, for ever.
    pub(crate) async fn follow(self: Arc<Self>, app: App, log: LogControl) {
        let mut changes = self.handle.changes();
        while let Some(snapshot) = changes.next().await {
            let config = &snapshot.value().config;
            // They were parsed, so that none of them is zero.
            if let Err(error) = app.admission.set_limits(config.limits.clone()) {
                tracing::warn!(%error, "the limits of connections stay as they were");
            }
            log.set(&config.log);
            tracing::info!(
                version = snapshot.version.short(),
                note = &*snapshot.note,
                "settings in force"
            );
        }
    }

    /// Reloads at each SIGHUP, for ever.
    #[cfg(unix)]
    pub(crate) async fn on_signal(self: Arc<Self>, mut asked: tokio::signal::unix::Signal) {
        while asked.recv().await.is_some() {
            crate::notify::reloading();
            match self.reload("SIGHUP").await {
                Ok(Reloaded::Published(_)) => {}
                Ok(Reloaded::Unchanged) => tracing::info!("reload: no setting has changed"),
                Err(error) => {
                    tracing::error!(%error, "reload refused; the settings stay as they were")
                }
            }
            crate::notify::ready();
        }
    }
}

/// What came of reading the settings again.
#[derive(Debug)]
pub(crate) enum Reloaded {
    Published(Published),
    Unchanged,
}

/// Why the settings stay as they were.
#[derive(Debug)]
pub(crate) enum ReloadError {
    Config(ConfigError),
    Swap(SwapError),
}

impl From<ConfigError> for ReloadError {
    fn from(error: ConfigError) -> Self {
        ReloadError::Config(error)
    }
}

impl From<SwapError> for ReloadError {
    fn from(error: SwapError) -> Self {
        ReloadError::Swap(error)
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::Config(source) => source.fmt(f),
            ReloadError::Swap(source) => source.fmt(f),
        }
    }
}

impl error::Error for ReloadError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            ReloadError::Config(source) => source.source(),
            ReloadError::Swap(source) => source.source(),
        }
    }
}
