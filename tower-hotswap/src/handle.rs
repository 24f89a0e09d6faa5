//! The writing side.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tokio::sync::broadcast;

use crate::{
    Builder, Canary, Changes, Draft, Event, Expected, HotLayer, HotSwap, Selector, Snapshot,
    SnapshotInfo, SwapError, Version,
    automatic::Verdict,
    draft::Description,
    generation::{Flight, Generation},
    review::Review,
    service::{Port, Ports},
    store::Store,
    sync::thread_number,
};

/// Publishes, rolls back, and tells what is in service.
///
/// Handles of one origin are clones of each other. Every change is one atomic store, whole or not at all; changes
/// from several threads happen one after the other. A change is refused with what was running untouched.
#[derive(Debug)]
pub struct Handle<T> {
    store: Arc<Store<T>>,
    review: Arc<Review<T>>,
    /// Owned here and by services, so that they end when there are neither.
    ports: Arc<OnceLock<Ports<T>>>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            review: self.review.clone(),
            ports: self.ports.clone(),
        }
    }
}

impl<T> Handle<T> {
    /// A handle whose current snapshot is `value`.
    pub fn builder(value: T, version: Version) -> Builder<T> {
        Builder::new(value, version)
    }

    pub(crate) fn new(store: Store<T>, review: Review<T>) -> Self {
        Self {
            store: Arc::new(store),
            review: Arc::new(review),
            ports: Arc::default(),
        }
    }

    /// A service that passes each request to the generation of its time.
    #[must_use]
    pub fn service(&self) -> HotSwap<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        let ports = self.ports.get_or_init(|| {
            let ports = Port::all(&self.store);
            self.store.open(&ports);
            ports
        });
        HotSwap::from_port(ports[thread_number() & (ports.len() - 1)].clone())
    }

    /// A layer that wraps services in the layer of the time.
    #[must_use]
    pub fn layer(&self) -> HotLayer<T> {
        HotLayer::from_store(self.store.clone())
    }

    pub(crate) fn store(&self) -> &Arc<Store<T>> {
        &self.store
    }

    /// Builds the draft, puts it to the checks, and lets it take all requests from now on.
    ///
    /// A request that begins after this returned is answered by the new snapshot. One that began before is
    /// answered by the one it reached, to the end of its response's body.
    ///
    /// # Errors
    /// [`SwapError::Rejected`], [`Panicked`](SwapError::Panicked) and [`TimedOut`](SwapError::TimedOut) by the build or a
    /// check, [`Conflict`](SwapError::Conflict) when the draft expected another snapshot,
    /// [`CanaryRunning`](SwapError::CanaryRunning).
    ///
    /// # Cancellation
    /// Dropping the future before it is ready publishes nothing.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn publish(&self, draft: Draft<T>) -> Result<Published, SwapError>
    where
        T: Send + Sync + 'static,
    {
        let (origin, expected) = (draft.description.origin.clone(), draft.expected);
        let result = self.review.pass(&self.store, draft).await;
        let result = result.and_then(|snapshot| self.put(snapshot, expected));
        result.inspect_err(|error| self.reject(origin, error))
    }

    /// Builds the draft, puts it to the checks, and keeps it in the history, to be a [`canary`](Self::canary).
    ///
    /// # Errors
    /// As those of [`publish`](Self::publish). What the draft expects is compared, too.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn stage(&self, draft: Draft<T>) -> Result<SnapshotInfo, SwapError>
    where
        T: Send + Sync + 'static,
    {
        let (origin, expected) = (draft.description.origin.clone(), draft.expected);
        let stage = async {
            let snapshot = self.review.pass(&self.store, draft).await?;
            let info = snapshot.info().clone();
            self.store.stage(snapshot, expected)?;
            Ok(info)
        };
        stage.await.inspect_err(|error| self.reject(origin, error))
    }

    /// Lets `value` take all requests from now on, without any check.
    ///
    /// # Errors
    /// [`SwapError::CanaryRunning`].
    pub fn swap(&self, value: T, version: Version) -> Result<Published, SwapError> {
        let id = self.store.next_id(version.hash());
        let snapshot = Description::new(version).snapshot(id, value);
        self.put(Arc::new(snapshot), None)
    }

    fn put(
        &self,
        snapshot: Arc<Snapshot<T>>,
        expected: Option<Expected>,
    ) -> Result<Published, SwapError> {
        let snapshot_info = snapshot.info().clone();
        let replaced = self.store.publish(snapshot, expected)?;
        Ok(Published {
            snapshot: snapshot_info,
            replaced,
        })
    }

    /// Tells whoever listens of something that was refused.
    pub(crate) fn reject(&self, origin: Arc<str>, error: &SwapError) {
        let error = error.clone();
        // Nobody needs to listen.
        let _ = self.store.events().send(Event::Rejected { origin, error });
    }

    /// Makes a snapshot of the history current again, in constant time: nothing is built and nothing is checked.
    ///
    /// A canary ends. Rolling back to what is current already only ends the canary.
    ///
    /// # Errors
    /// [`SwapError::Unknown`] and [`Ambiguous`](SwapError::Ambiguous).
    pub fn rollback(&self, to: impl Into<Selector>) -> Result<SnapshotInfo, SwapError> {
        self.store.rollback(&to.into(), None)
    }

    /// [`rollback`](Self::rollback), if `expected` is current.
    ///
    /// # Errors
    /// [`SwapError::Conflict`] besides.
    pub fn rollback_expecting(
        &self,
        expected: impl Into<Expected>,
        to: impl Into<Selector>,
    ) -> Result<SnapshotInfo, SwapError> {
        self.store.rollback(&to.into(), Some(expected.into()))
    }

    /// Lets a snapshot of the history take the share of requests that `rule` says; the current one keeps the rest.
    ///
    /// Called again for the snapshot that is the canary, it changes the rule and begins a new record.
    ///
    /// # Errors
    /// [`SwapError::Unknown`], [`Ambiguous`](SwapError::Ambiguous), [`AlreadyCurrent`](SwapError::AlreadyCurrent), and
    /// [`CanaryRunning`](SwapError::CanaryRunning) when another snapshot is the canary.
    pub fn canary(
        &self,
        snapshot: impl Into<Selector>,
        rule: Canary,
    ) -> Result<SnapshotInfo, SwapError> {
        self.store.canary(&snapshot.into(), rule, None)
    }

    /// [`canary`](Self::canary), if `expected` is current.
    ///
    /// # Errors
    /// [`SwapError::Conflict`] besides.
    pub fn canary_expecting(
        &self,
        expected: impl Into<Expected>,
        snapshot: impl Into<Selector>,
        rule: Canary,
    ) -> Result<SnapshotInfo, SwapError> {
        self.store
            .canary(&snapshot.into(), rule, Some(expected.into()))
    }

    /// Lets the canary take all requests.
    ///
    /// # Errors
    /// [`SwapError::NoCanary`].
    pub fn promote(&self) -> Result<SnapshotInfo, SwapError> {
        self.store.settle(Verdict::Promote, None)
    }

    /// Lets the canary take no more requests.
    ///
    /// # Errors
    /// [`SwapError::NoCanary`].
    pub fn abort(&self) -> Result<SnapshotInfo, SwapError> {
        self.store.settle(Verdict::Abort, None)
    }

    /// The current snapshot.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot<T>> {
        self.store.table().primary.snapshot().clone()
    }

    /// The canary and its rule in words.
    #[must_use]
    pub fn running_canary(&self) -> Option<(Arc<Snapshot<T>>, String)> {
        let table = self.store.table();
        let canary = table.canary.as_ref()?;
        let snapshot = canary.generation.snapshot().clone();
        Some((snapshot, canary.rule.to_string()))
    }

    /// The snapshots that can be rolled back to, the most recently used first.
    #[must_use]
    pub fn history(&self) -> Vec<Arc<Snapshot<T>>> {
        self.store.history()
    }

    /// A snapshot of the history.
    ///
    /// # Errors
    /// [`SwapError::Unknown`] and [`Ambiguous`](SwapError::Ambiguous).
    pub fn find(&self, selector: impl Into<Selector>) -> Result<Arc<Snapshot<T>>, SwapError> {
        self.store.find(&selector.into())
    }

    /// How many times anything changed: what is current, the canary, the history.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.store.table().stamp.sequence()
    }

    /// Both of one moment.
    #[cfg(feature = "axum")]
    pub(crate) fn revision_and_current(&self) -> (u64, Arc<Snapshot<T>>) {
        let table = self.store.table();
        (table.stamp.sequence(), table.primary.snapshot().clone())
    }

    /// What is in service, and what left it and has requests in flight.
    #[must_use]
    pub fn generations(&self) -> Vec<InService> {
        let (table, retired) = self.store.flights();
        let canary = table.canary.as_ref().map(|canary| &canary.generation);
        let served =
            |role| move |generation: &Arc<Generation<T>>| InService::of(generation.flight(), role);
        let mut all = vec![served(Role::Primary)(&table.primary)];
        all.extend(canary.map(served(Role::Canary)));
        all.extend(
            retired
                .iter()
                .map(|flight| InService::of(flight, Role::Retired)),
        );
        all
    }

    /// Waits until the snapshots that are meant left service and answered the last request they took.
    ///
    /// Bodies of responses count until they are dropped, as servers do at their end, and so does whoever keeps an
    /// [`InFlight`](crate::InFlight). It is ready at once for a snapshot that is neither in service nor has requests in
    /// flight. A snapshot that stays in service is waited for.
    ///
    /// # Cancellation
    /// Dropping the future changes nothing.
    #[must_use = "futures do nothing unless polled"]
    pub fn drained(&self, of: impl Into<Selector>) -> Drained {
        let of = of.into();
        let (table, mut flights) = self.store.flights();
        flights.extend(
            table
                .generations()
                .map(|generation| generation.flight().clone()),
        );
        flights.retain(|flight| of.matches(flight.info()));
        Drained::all(flights)
    }

    /// What happens from now on. A listener that is 256 events behind loses the oldest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.store.events().subscribe()
    }

    /// The snapshots that become current from now on.
    #[must_use]
    pub fn changes(&self) -> Changes<T> {
        Changes::new(&self.store)
    }
}

/// A publication that took place.
#[derive(Debug)]
pub struct Published {
    snapshot: SnapshotInfo,
    replaced: Flight,
}

impl Published {
    /// What was published.
    #[must_use]
    pub fn snapshot(&self) -> &SnapshotInfo {
        &self.snapshot
    }

    /// What it replaced.
    #[must_use]
    pub fn replaced(&self) -> &SnapshotInfo {
        self.replaced.info()
    }

    /// Waits until the generation it replaced answered the last request it took; see [`Handle::drained`].
    #[must_use = "futures do nothing unless polled"]
    pub fn drained(&self) -> Drained {
        Drained::all(vec![self.replaced.clone()])
    }
}

/// The future of [`Handle::drained`].
#[must_use = "futures do nothing unless polled"]
pub struct Drained(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Drained {
    fn all(flights: Vec<Flight>) -> Self {
        Self(Box::pin(async move {
            for flight in flights {
                flight.drained().await;
            }
        }))
    }
}

impl Future for Drained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drained").finish_non_exhaustive()
    }
}

/// What a generation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It takes requests.
    Primary,
    /// It takes a share of the requests.
    Canary,
    /// It takes no more requests, and has some in flight.
    Retired,
}

/// A generation with its requests.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InService {
    /// Its snapshot.
    pub snapshot: SnapshotInfo,
    /// What it does.
    pub role: Role,
    /// Requests that it took and whose bodies have not ended. Summed over shards without stopping them.
    pub in_flight: usize,
}

impl InService {
    fn of(flight: &Flight, role: Role) -> Self {
        Self {
            snapshot: flight.info().clone(),
            role,
            in_flight: flight.in_flight(),
        }
    }
}
