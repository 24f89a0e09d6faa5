//! Typed configuration that changes while the program runs.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, Request, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Changes, Handle, Snapshot, Version, store::Stamp};

/// Configuration that changes while the program runs. A request sees one version throughout.
///
/// A request's version is the one of its first look: [`PinConfigLayer`] takes it as the request comes in, and axum's
/// extractor `Hot` (feature `axum`) otherwise when it is first used. Whoever looks after that, be it handler or layer,
/// gets the same. A canary of a configuration takes requests like any canary.
#[derive(Debug)]
pub struct HotConfig<T> {
    handle: Handle<T>,
}

impl<T> HotConfig<T> {
    /// A configuration that begins as `value`.
    #[must_use]
    pub fn new(value: T, version: Version) -> Self {
        Handle::builder(value, version).build().into()
    }

    /// What replaces it.
    #[must_use]
    pub fn handle(&self) -> &Handle<T> {
        &self.handle
    }

    /// The current version. Keep it for as long as one piece of work lasts; ask again for the next one.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot<T>> {
        self.handle.current()
    }

    /// The versions that become current from now on.
    #[must_use]
    pub fn changes(&self) -> Changes<T> {
        self.handle.changes()
    }

    /// For a loop that reads often: as cheap as a value that never changes.
    #[must_use]
    pub fn reader(&self) -> ConfigReader<T> {
        let table = self.handle.store().table();
        ConfigReader {
            config: self.clone(),
            stamp: table.stamp,
            snapshot: table.primary.snapshot().clone(),
        }
    }

    /// A layer that pins the version of each request as it comes in.
    #[must_use]
    pub fn layer(&self) -> PinConfigLayer<T> {
        PinConfigLayer {
            config: self.clone(),
        }
    }

    /// The version of the request, pinned from now on.
    pub fn of(&self, request: &mut Parts) -> Arc<Snapshot<T>>
    where
        T: Send + Sync + 'static,
    {
        if let Some(Pinned(snapshot)) = request.extensions.get() {
            return Arc::clone(snapshot);
        }
        let table = self.handle.store().table();
        let snapshot = table.side(table.pick(request)).snapshot().clone();
        request.extensions.insert(Pinned(snapshot.clone()));
        snapshot
    }

    /// The version that was pinned for a request with these extensions.
    #[must_use]
    pub fn pinned(extensions: &Extensions) -> Option<Arc<Snapshot<T>>>
    where
        T: Send + Sync + 'static,
    {
        let pinned: Option<&Pinned<T>> = extensions.get();
        pinned.map(|Pinned(snapshot)| snapshot.clone())
    }
}

impl<T> From<Handle<T>> for HotConfig<T> {
    fn from(handle: Handle<T>) -> Self {
        Self { handle }
    }
}

impl<T> Clone for HotConfig<T> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
        }
    }
}

struct Pinned<T>(Arc<Snapshot<T>>);

impl<T> Clone for Pinned<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Reads the current version at the cost of one load and a comparison.
///
/// It keeps the version that it read last in memory until it reads again.
#[derive(Debug)]
pub struct ConfigReader<T> {
    config: HotConfig<T>,
    stamp: Stamp,
    snapshot: Arc<Snapshot<T>>,
}

impl<T> ConfigReader<T> {
    /// The current version.
    #[inline]
    pub fn read(&mut self) -> &Arc<Snapshot<T>> {
        if self.config.handle.store().stamp() != self.stamp {
            self.read_again();
        }
        &self.snapshot
    }

    #[cold]
    fn read_again(&mut self) {
        let table = self.config.handle.store().table();
        self.stamp = table.stamp;
        self.snapshot = table.primary.snapshot().clone();
    }
}

impl<T> Clone for ConfigReader<T> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            stamp: self.stamp,
            snapshot: self.snapshot.clone(),
        }
    }
}

/// Pins the version of each request as it comes in. From [`HotConfig::layer`].
#[derive(Debug)]
pub struct PinConfigLayer<T> {
    config: HotConfig<T>,
}

impl<T> Clone for PinConfigLayer<T> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
        }
    }
}

impl<T, S> Layer<S> for PinConfigLayer<T> {
    type Service = PinConfig<T, S>;

    fn layer(&self, inner: S) -> PinConfig<T, S> {
        PinConfig {
            config: self.config.clone(),
            inner,
        }
    }
}

/// The service of [`PinConfigLayer`].
pub struct PinConfig<T, S> {
    config: HotConfig<T>,
    inner: S,
}

impl<T, S: Clone> Clone for PinConfig<T, S> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<T: fmt::Debug, S> fmt::Debug for PinConfig<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinConfig")
            .field("current", &self.config.current().version)
            .finish_non_exhaustive()
    }
}

impl<T, S, B> Service<Request<B>> for PinConfig<T, S>
where
    T: Send + Sync + 'static,
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let (mut parts, body) = request.into_parts();
        self.config.of(&mut parts);
        self.inner.call(Request::from_parts(parts, body))
    }
}
