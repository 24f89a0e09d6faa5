//! Which snapshots are in service, and every way in which that changes.
//!
//! Readers and writers meet in two words: the table, which is replaced as a whole, and its *stamp*. A table names the
//! generation that is current and the canary beside it, so that promotion and rollback are one store. Writers
//! take turns on a mutex; readers never wait for them. Always true:
//!
//! - A writer stores the new stamp first, then the table, then empties the ports, and retires what left the table last.
//! - So whoever saw a table sees its stamp, or a later one, from then on; and whoever holds something made from
//!   an earlier table finds out by comparing one word. Nobody who was answered by a generation, or who was told of it,
//!   is answered by an earlier one afterwards.
//! - So a generation that refuses a request, being retired, is not in the table any more, and looking again ends.

mod cell;
mod history;

use std::sync::{Arc, OnceLock, Weak};

use http::request::Parts;
use tokio::sync::{broadcast, watch};

pub(crate) use self::cell::Cell;
use self::history::History;
use crate::{
    Canary, ContentHash, Event, Expected, Selector, Snapshot, SnapshotId, SnapshotInfo, SwapError,
    automatic::{Side, Trial, Verdict},
    generation::{Flight, Generation},
    service::{Armed, Port},
    sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock},
};

/// The number of a table. The lowest bit says that it has a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

impl Stamp {
    pub(crate) fn has_canary(self) -> bool {
        self.0 & 1 == 1
    }

    /// Counts the changes.
    pub(crate) fn sequence(self) -> u64 {
        self.0 / 2
    }
}

/// What takes requests.
#[derive(Debug)]
pub(crate) struct Table<T> {
    pub(crate) stamp: Stamp,
    pub(crate) primary: Arc<Generation<T>>,
    pub(crate) canary: Option<Trialled<T>>,
}

/// A canary, its rule and its record.
#[derive(Debug)]
pub(crate) struct Trialled<T> {
    pub(crate) generation: Arc<Generation<T>>,
    pub(crate) rule: Canary,
    pub(crate) trial: Option<Arc<Trial>>,
}

impl<T> Trialled<T> {
    fn clone(&self) -> Self {
        Self {
            generation: self.generation.clone(),
            rule: self.rule.clone(),
            trial: self.trial.clone(),
        }
    }
}

/// The snapshots of one handle.
#[derive(Debug)]
pub(crate) struct Store<T> {
    stamp: AtomicU64,
    table: Cell<Table<T>>,
    /// Where services keep clones of what is current. None for values that are no services.
    ports: OnceLock<Box<[Weak<Port<T>>]>>,
    writer: Mutex<Writer<T>>,
    events: broadcast::Sender<Event>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Writer<T> {
    history: History<T>,
    /// Generations that left the table and have requests in flight.
    retired: Vec<Flight>,
    last_millis: u64,
}

/// How many events a slow listener may be behind.
const EVENTS: usize = 256;

impl<T> Store<T> {
    pub(crate) fn new(
        capacity: usize,
        first: impl FnOnce(SnapshotId) -> Snapshot<T>,
        hash: ContentHash,
    ) -> Self {
        let id = SnapshotId::after(0, hash);
        let snapshot = Arc::new(first(id));
        let events = broadcast::Sender::new(EVENTS);
        let mut history = History::new(capacity);
        history.insert(snapshot.clone());
        let table = Table {
            stamp: Stamp(0),
            primary: Arc::new(Generation::new(snapshot, &events)),
            canary: None,
        };
        Self {
            stamp: AtomicU64::new(0),
            table: Cell::new(Arc::new(table)),
            ports: OnceLock::new(),
            writer: Mutex::new(Writer {
                history,
                retired: Vec::new(),
                last_millis: id.millis(),
            }),
            events,
            changes: watch::Sender::new(0),
        }
    }

    /// The stamp of the table, or of the one about to replace it.
    #[inline]
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp(self.stamp.load(Ordering::Acquire))
    }

    #[inline]
    pub(crate) fn table(&self) -> impl std::ops::Deref<Target = Arc<Table<T>>> + use<'_, T> {
        self.table.load()
    }

    /// Lets services use these ports from now on.
    pub(crate) fn open(&self, ports: &[Arc<Port<T>>]) {
        self.ports
            .get_or_init(|| ports.iter().map(Arc::downgrade).collect());
    }

    #[inline]
    pub(crate) fn ports(&self) -> &[Weak<Port<T>>] {
        self.ports.get().map_or(&[], |ports| &**ports)
    }

    pub(crate) fn events(&self) -> &broadcast::Sender<Event> {
        &self.events
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// An id that was not given before, for a content of this hash.
    pub(crate) fn next_id(&self, hash: ContentHash) -> SnapshotId {
        let mut writer = lock(&self.writer);
        let id = SnapshotId::after(writer.last_millis, hash);
        writer.last_millis = id.millis();
        id
    }

    /// Puts a snapshot into the history without letting it take requests.
    pub(crate) fn stage(
        &self,
        snapshot: Arc<Snapshot<T>>,
        expected: Option<Expected>,
    ) -> Result<(), SwapError> {
        let mut writer = lock(&self.writer);
        let table = self.table().clone();
        table.expect(expected)?;
        let event = Event::Staged(snapshot.info().clone());
        writer.history.insert(snapshot);
        let canary = table.canary.as_ref().map(Trialled::clone);
        self.replace(writer, &table, table.primary.clone(), canary, event);
        Ok(())
    }

    /// Lets a snapshot take all requests, if `expected` is current and no canary runs.
    pub(crate) fn publish(
        &self,
        snapshot: Arc<Snapshot<T>>,
        expected: Option<Expected>,
    ) -> Result<Flight, SwapError> {
        let mut writer = lock(&self.writer);
        let table = self.table().clone();
        table.expect(expected)?;
        if let Some(canary) = &table.canary {
            return Err(canary.running());
        }
        writer.history.insert(snapshot.clone());
        let event = Event::Published(snapshot.info().clone());
        let primary = Arc::new(Generation::new(snapshot, &self.events));
        let replaced = table.primary.flight().clone();
        self.replace(writer, &table, primary, None, event);
        Ok(replaced)
    }

    /// Lets a snapshot of the history take all requests again. A canary ends.
    pub(crate) fn rollback(
        &self,
        selector: &Selector,
        expected: Option<Expected>,
    ) -> Result<SnapshotInfo, SwapError> {
        let mut writer = lock(&self.writer);
        let table = self.table().clone();
        table.expect(expected)?;
        let snapshot = writer.history.find(selector)?;
        let info = snapshot.info().clone();
        writer.history.used(info.id);
        if table.primary.snapshot().id == info.id && table.canary.is_none() {
            return Ok(info);
        }
        let primary = match &table.canary {
            Some(canary) if canary.generation.snapshot().id == info.id => canary.generation.clone(),
            _ if table.primary.snapshot().id == info.id => table.primary.clone(),
            _ => Arc::new(Generation::new(snapshot, &self.events)),
        };
        self.replace(
            writer,
            &table,
            primary,
            None,
            Event::RolledBack(info.clone()),
        );
        Ok(info)
    }

    /// Lets a snapshot of the history take a share of the requests, or another share than it has.
    pub(crate) fn canary(
        &self,
        selector: &Selector,
        rule: Canary,
        expected: Option<Expected>,
    ) -> Result<SnapshotInfo, SwapError> {
        let mut writer = lock(&self.writer);
        let table = self.table().clone();
        table.expect(expected)?;
        let snapshot = writer.history.find(selector)?;
        let info = snapshot.info().clone();
        if table.primary.snapshot().id == info.id {
            return Err(SwapError::AlreadyCurrent {
                version: info.version,
            });
        }
        let generation = match &table.canary {
            Some(canary) if canary.generation.snapshot().id == info.id => canary.generation.clone(),
            Some(canary) => return Err(canary.running()),
            None => Arc::new(Generation::new(snapshot, &self.events)),
        };
        writer.history.used(info.id);
        let canary = Trialled {
            generation,
            trial: rule
                .automatic
                .map(|automatic| Arc::new(Trial::new(automatic))),
            rule,
        };
        let event = Event::CanaryStarted(info.clone());
        self.replace(writer, &table, table.primary.clone(), Some(canary), event);
        Ok(info)
    }

    /// Ends the canary one way or the other; with `only`, if the table is still the one of that stamp.
    pub(crate) fn settle(
        &self,
        verdict: Verdict,
        only: Option<Stamp>,
    ) -> Result<SnapshotInfo, SwapError> {
        let mut writer = lock(&self.writer);
        let table = self.table().clone();
        let canary = table
            .canary
            .as_ref()
            .filter(|_| only.is_none_or(|stamp| stamp == table.stamp));
        let Some(canary) = canary.map(Trialled::clone) else {
            return Err(SwapError::NoCanary);
        };
        let info = canary.generation.snapshot().info().clone();
        let (primary, event) = match verdict {
            Verdict::Promote => {
                writer.history.used(info.id);
                (canary.generation, Event::Promoted(info.clone()))
            }
            Verdict::Abort => (table.primary.clone(), Event::Aborted(info.clone())),
        };
        self.replace(writer, &table, primary, None, event);
        Ok(info)
    }

    /// Stores a new table, evicts what the history has no room for, retires what is not in the table any more, and tells
    /// everybody.
    fn replace(
        &self,
        mut writer: MutexGuard<'_, Writer<T>>,
        old: &Table<T>,
        primary: Arc<Generation<T>>,
        canary: Option<Trialled<T>>,
        event: Event,
    ) {
        let sequence = old.stamp.sequence() + 1;
        let stamp = Stamp(sequence * 2 + u64::from(canary.is_some()));
        let table = Table {
            stamp,
            primary,
            canary,
        };
        let left = |generation: &Arc<Generation<T>>| {
            !table
                .generations()
                .any(|kept| Arc::ptr_eq(kept, generation))
        };
        let leaving: Vec<_> = old
            .generations()
            .filter(|generation| left(generation))
            .map(|generation| generation.flight().clone())
            .collect();
        let staged = match &event {
            Event::Staged(info) => Some(info.id),
            _ => None,
        };
        let is_needed = |id| table.serves(id) || staged == Some(id);
        let evicted = writer.history.evict(is_needed);
        self.stamp.store(stamp.0, Ordering::Release);
        self.table.store(Arc::new(table));
        let idle = self.empty_ports();
        writer.retired.retain(|flight| !flight.is_drained());
        writer.retired.extend(leaving.iter().cloned());
        self.send(event);
        // Still under the lock, so that `retired` never lacks one that has requests in flight.
        leaving.iter().for_each(Flight::retire);
        drop(writer);
        self.changes.send_if_modified(|last| {
            let newer = sequence > *last;
            *last = sequence.max(*last);
            newer
        });
        // Without the lock, and when all know: a value's end may take its time, panic, or come back here.
        drop((idle, evicted));
    }

    /// The clones that services gave back, which are of an earlier table now.
    fn empty_ports(&self) -> Vec<Box<Armed<T>>> {
        let ports = self.ports().iter().filter_map(Weak::upgrade);
        ports.filter_map(|port| port.take()).collect()
    }

    fn send(&self, event: Event) {
        // Nobody needs to listen.
        let _ = self.events.send(event);
    }

    /// All snapshots of the history, the most recently used first.
    pub(crate) fn history(&self) -> Vec<Arc<Snapshot<T>>> {
        lock(&self.writer).history.iter().cloned().collect()
    }

    pub(crate) fn find(&self, selector: &Selector) -> Result<Arc<Snapshot<T>>, SwapError> {
        lock(&self.writer).history.find(selector)
    }

    /// The table, and the generations that left it and have requests in flight.
    pub(crate) fn flights(&self) -> (Arc<Table<T>>, Vec<Flight>) {
        let mut writer = lock(&self.writer);
        writer.retired.retain(|flight| !flight.is_drained());
        (self.table().clone(), writer.retired.clone())
    }
}

impl<T> Table<T> {
    /// Which side takes the request.
    pub(crate) fn pick(&self, request: &Parts) -> Side {
        match &self.canary {
            Some(canary) if canary.takes(request) => Side::Canary,
            _ => Side::Primary,
        }
    }

    /// The generation on that side; the primary where there is no canary.
    pub(crate) fn side(&self, side: Side) -> &Arc<Generation<T>> {
        match (&self.canary, side) {
            (Some(canary), Side::Canary) => &canary.generation,
            _ => &self.primary,
        }
    }

    pub(crate) fn generations(&self) -> impl Iterator<Item = &Arc<Generation<T>>> {
        std::iter::once(&self.primary).chain(self.canary.as_ref().map(|canary| &canary.generation))
    }

    pub(crate) fn serves(&self, id: SnapshotId) -> bool {
        self.generations()
            .any(|generation| generation.snapshot().id == id)
    }

    fn expect(&self, expected: Option<Expected>) -> Result<(), SwapError> {
        let current = self.primary.snapshot().id;
        let Some(expected) = expected else {
            return Ok(());
        };
        let met = match expected {
            Expected::Snapshot(id) => id == current,
            Expected::Revision(revision) => revision == self.stamp.sequence(),
        };
        if !met {
            return Err(SwapError::Conflict { expected, current });
        }
        Ok(())
    }
}

impl<T> Trialled<T> {
    fn takes(&self, request: &Parts) -> bool {
        let content = self.generation.snapshot().version.hash();
        self.rule.takes(request, content)
    }

    fn running(&self) -> SwapError {
        SwapError::CanaryRunning {
            version: self.generation.snapshot().version.clone(),
        }
    }
}
