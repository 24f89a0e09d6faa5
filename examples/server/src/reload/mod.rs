//! Settings that change while the server runs: tower-hotswap around the whole request plane.
//!
//! A generation is a configuration with the request plane built for it. The file and SIGHUP make a new one; it is
//! built beside the running one, asked for `/healthz`, and put in its place, or refused with the running one
//! untouched. What cannot be inside of the generation (limits of connections, the log's filter) follows whichever is
//! current, so that a rollback takes it back as well.

mod error;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tower::Service;
use tower_flowctl::breaker::Baselines;
use tower_hotswap::admin::Admin;
use tower_hotswap::source::{FileSource, Source, SourceError};
use tower_hotswap::tls::HotTls;
use tower_hotswap::{Handle, Published, Recipe, Role, Version, checks};

pub(crate) use self::error::ReloadError;
use crate::admin::Token;
use crate::app::{self, App};
use crate::assembly::{self, AssemblyError, RequestPlane};
use crate::config::settings::Reload;
use crate::config::{Config, Loader};
use crate::logging::LogControl;
use crate::tls::{self, TlsError};

/// How often the files of certificates are looked at.
const CERTIFICATES_READ_EVERY: Duration = Duration::from_secs(5);

/// A configuration and what was built for it.
#[derive(Debug, Clone)]
pub(crate) struct Generation<S> {
    config: Arc<Config>,
    baselines: Baselines,
    service: S,
}

/// Builds what the configuration asks for.
///
/// # Errors
/// What keeps it from coming into force.
pub(crate) fn generation(
    app: &App,
    config: Arc<Config>,
) -> Result<Generation<impl RequestPlane + use<>>, AssemblyError> {
    // Taken in by `follow`; here it is only found out whether they can be.
    tls::check(&config)?;
    // What is taken in at the next start is not to keep the server from it.
    app::check(&config).map_err(Box::new)?;
    Ok(Generation {
        baselines: assembly::baselines(&config)?,
        service: assembly::request_plane(app.with(config.clone()))?,
        config,
    })
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

/// Publishes configurations.
pub(crate) struct Reloader<S> {
    handle: Handle<Generation<S>>,
    recipe: Recipe<Generation<S>>,
    loader: Loader,
    tls: Option<HotTls>,
    turn: Mutex<()>,
    /// What some settings stay at until the next start.
    started_with: Arc<Config>,
}

/// The first generation of an application, and what replaces it.
///
/// # Errors
/// When the application cannot be built.
pub(crate) fn start(
    app: &App,
    loader: Loader,
    tls: Option<HotTls>,
) -> Result<Reloader<impl RequestPlane + use<>>, AssemblyError> {
    let config = app.config.clone();
    let first = generation(app, config.clone())?;
    app.breaker.set_baselines(first.baselines.clone());
    // The text of the file, or what would have to be in it.
    let content = loader.text().ok().flatten();
    let content = content.unwrap_or_else(|| config.to_toml());
    let version = Version::parse("1.0.0", content.as_bytes()).expect("it is a version");
    let health = || {
        Request::get("/healthz")
            .header("host", "localhost")
            .body(Body::empty())
            .expect("it is a request")
    };
    let handle = Handle::builder(first, version)
        .origin("start")
        .content(content.into_bytes())
        .check(checks::probe("health", health, |status| {
            status.is_success()
        }))
        .build();
    let (app, settings) = (app.clone(), loader.clone());
    let recipe = Recipe::new(move |text| {
        let config = settings.read(Some(std::str::from_utf8(text)?))?;
        Ok(generation(&app, Arc::new(config))?)
    });
    Ok(Reloader {
        handle,
        recipe,
        loader,
        tls,
        turn: Mutex::new(()),
        started_with: config,
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

    /// The routes that show, compare, publish and roll back configurations (tower-hotswap). From other machines they
    /// are to be had when the admin port is.
    pub(crate) fn admin_routes(&self, token: &Token) -> axum::Router {
        let mut admin = Admin::new(self.handle.clone(), self.recipe.clone()).token(token.reveal());
        let port = self.started_with.admin_listen;
        if port.is_some_and(|port| !port.ip().is_loopback()) {
            admin = admin.allow_remote();
        }
        let routes = admin.router().expect("the token is long enough");
        // What it does not know others of the port may.
        routes.reset_fallback()
    }

    /// Where the settings come from.
    pub(crate) fn loader(&self) -> &Loader {
        &self.loader
    }

    /// The version in force.
    pub(crate) fn version(&self) -> String {
        self.handle.current().version.short()
    }

    /// What can be rolled back to, for the dashboard.
    pub(crate) fn history(&self) -> Value {
        let current = self.handle.current().id;
        let history = self.handle.history();
        let rows = history.iter().map(|snapshot| {
            json!({
                "id": snapshot.id.to_string(),
                "version": snapshot.version.short(),
                "created": OffsetDateTime::from(snapshot.created()).unix_timestamp(),
                "origin": &*snapshot.origin,
                "note": &*snapshot.note,
                "current": snapshot.id == current,
            })
        });
        rows.collect()
    }

    /// Reads the settings again and puts what has become of them into force.
    ///
    /// # Errors
    /// When a setting cannot be used, or the generation built from it is refused; the running one goes on.
    pub(crate) async fn reload(&self, origin: &str) -> Result<Reloaded, ReloadError> {
        // One at a time, so that what was read last is what stays.
        let _turn = self.turn.lock().await;
        self.publish(None, origin).await
    }

    /// As [`reload`](Self::reload), with these settings from elsewhere in the place of the file's. They stay there if they are
    /// accepted.
    pub(crate) async fn take(&self, text: String, origin: &str) -> Result<Reloaded, ReloadError> {
        let _turn = self.turn.lock().await;
        let reloaded = self.publish(Some(&text), origin).await?;
        self.loader.keep(text);
        Ok(reloaded)
    }

    async fn publish(&self, text: Option<&str>, origin: &str) -> Result<Reloaded, ReloadError> {
        let config = self.loader.read(text)?;
        let current = self.handle.current();
        if config.changed_since(&current.value().config).is_empty() {
            // The files that it names may have changed all the same.
            self.renew(&config).await?;
            return Ok(Reloaded::Unchanged);
        }
        let content = match text {
            Some(text) => text.to_owned(),
            // A file that is gone meanwhile must not be taken for one that sets nothing.
            None => self.loader.text()?.unwrap_or_default(),
        };
        let draft = self
            .recipe
            .draft(content.as_bytes(), &current.version, None);
        Ok(Reloaded::Published(
            self.handle.publish(draft.origin(origin)).await?,
        ))
    }

    /// Lets what is outside of the generations follow the current one, for ever.
    pub(crate) async fn follow(self: Arc<Self>, app: App, log: LogControl) {
        let mut changes = self.handle.changes();
        while let Some(snapshot) = changes.next().await {
            let Generation {
                config, baselines, ..
            } = snapshot.value();
            // They were parsed, so that none of them is zero.
            if let Err(error) = app.admission.set_limits(config.limits.clone()) {
                tracing::warn!(%error, "the limits of connections stay as they were");
            }
            log.set(&config.log);
            app.breaker.set_baselines(baselines.clone());
            if let Err(error) = self.renew(config).await {
                tracing::error!(%error, "the certificate stays as it was");
            }
            let version = snapshot.version.short();
            match self.waiting(config) {
                waiting if waiting.is_empty() => tracing::info!(version, "settings in force"),
                waiting => tracing::warn!(
                    version,
                    "settings in force; some take effect at the next start: {}",
                    waiting.join(", ")
                ),
            }
        }
    }

    async fn renew(&self, config: &Config) -> Result<(), TlsError> {
        match &self.tls {
            Some(tls) => tls::renew(tls, config).await,
            None => Ok(()),
        }
    }

    /// Takes the files of certificates and ticket keys in again when they change, for ever: who renews a certificate does
    /// not need to tell the server.
    pub(crate) async fn watch_certificates(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(CERTIFICATES_READ_EVERY);
        let mut told = String::new();
        loop {
            ticks.tick().await;
            let config = self.handle.current().value().config.clone();
            match self.renew(&config).await.map_err(|error| error.to_string()) {
                Ok(()) => told.clear(),
                // Once, not at every look.
                Err(error) if error == told => {}
                Err(error) => {
                    tracing::error!(error, "the certificate stays as it was");
                    told = error;
                }
            }
        }
    }

    /// The settings of a configuration that are not in force before the next start.
    fn waiting(&self, config: &Config) -> Vec<&'static str> {
        let changed = config.changed_since(&self.started_with);
        let fixed = changed
            .iter()
            .filter(|setting| setting.reload == Reload::Restart);
        fixed.map(|setting| setting.key).collect()
    }

    /// Reloads whenever the file changes, for ever: written in place, replaced by rename, or, as Kubernetes does with a
    /// ConfigMap, by another target of a link.
    pub(crate) async fn watch(self: Arc<Self>) {
        let Some(file) = self.loader.file() else {
            return;
        };
        let mut source = match FileSource::new(&file) {
            Ok(source) => source,
            Err(error) => {
                tracing::warn!(%error, "the file of settings is not watched; SIGHUP has it read");
                return;
            }
        };
        loop {
            // What was read is only the sign that there is something new: a SIGHUP may have been quicker, and the file
            // may have changed since.
            let reloaded = match source.next().await {
                Ok(_) => self.reload(&file.display().to_string()).await,
                Err(SourceError::Ended) => return,
                Err(error) => Err(ReloadError::Source(error)),
            };
            if let Err(error) = reloaded {
                tracing::error!(%error, "settings refused; those in force stay");
            }
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
            crate::notify::reloaded();
        }
    }
}

/// What came of reading the settings again.
#[derive(Debug)]
pub(crate) enum Reloaded {
    Published(Published),
    Unchanged,
}
