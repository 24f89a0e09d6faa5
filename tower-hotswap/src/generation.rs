//! A snapshot in service, and the count of what it has in flight.
//!
//! A generation is one stay of a snapshot in the table: a rollback makes a new generation of an old snapshot.
//! Requests are counted in shards, one for each processor, so that threads do not meet in the counting. A shard's count
//! is how many own it: the generation until it is retired, and the mark of each request. Always true:
//!
//! - A request gets in through a door, which does not own the shard and does not open when nobody does any more. So a
//!   shard that nobody owns stays so. It has *ended*.
//! - Whoever owned it last, a request or the one who retires it, and nobody else, takes one off the count of shards left;
//!   whoever takes off the last one announces that the generation drained.
//! - A request leaves the shard it entered, on whatever thread it ends.
//!
//! So `drained` is exact: it is announced once, after the last request and never before. The cost of a request is
//! one compare-and-swap and one subtraction on a word that its thread has for itself.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::{
    Event, Snapshot, SnapshotInfo,
    in_flight::InFlight,
    sync::{
        AtomicBool, AtomicUsize, Counted, Mutex, Ordering, Uncounted, lock, shards, thread_number,
    },
};

/// What one thread's requests own. Aligned so that no two share a cache line, nor the pair of lines that is prefetched.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shard {
    end: Arc<End>,
}

impl Shard {
    pub(crate) fn info(&self) -> &SnapshotInfo {
        &self.end.info
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.end.shard_ended();
    }
}

/// A way into a shard, which does not count itself.
#[derive(Debug, Clone)]
pub(crate) struct Door(Uncounted<Shard>);

impl Door {
    /// Counts a request in, unless the shard has ended.
    #[inline]
    pub(crate) fn enter(&self) -> Option<InFlight> {
        self.0.upgrade().map(InFlight::counted)
    }
}

/// The end of a generation.
#[derive(Debug)]
struct End {
    shards_left: AtomicUsize,
    retired: AtomicBool,
    drained: watch::Sender<bool>,
    info: SnapshotInfo,
    events: broadcast::Sender<Event>,
}

impl End {
    #[cold]
    fn shard_ended(&self) {
        let last = self.shards_left.fetch_sub(1, Ordering::AcqRel) == 1;
        // The shards of a generation that never left the table end with the table, and that is no news.
        if last && self.retired.load(Ordering::Acquire) {
            self.drained.send_replace(true);
            // Nobody needs to listen.
            let _ = self.events.send(Event::Drained(self.info.clone()));
        }
    }
}

/// A snapshot in service.
#[derive(Debug)]
pub(crate) struct Generation<T> {
    snapshot: Arc<Snapshot<T>>,
    flight: Flight,
}

impl<T> Generation<T> {
    pub(crate) fn new(snapshot: Arc<Snapshot<T>>, events: &broadcast::Sender<Event>) -> Self {
        let flight = Flight::new(snapshot.info().clone(), events.clone());
        Self { snapshot, flight }
    }

    pub(crate) fn snapshot(&self) -> &Arc<Snapshot<T>> {
        &self.snapshot
    }

    #[inline]
    pub(crate) fn value(&self) -> &T {
        self.snapshot.value()
    }

    pub(crate) fn flight(&self) -> &Flight {
        &self.flight
    }

    /// Counts a request in, unless the generation is retired and has drained.
    pub(crate) fn enter(&self) -> Option<InFlight> {
        self.door(thread_number()).enter()
    }

    /// The door that is meant for the threads of this number.
    pub(crate) fn door(&self, number: usize) -> &Door {
        let doors = &self.flight.0.doors;
        &doors[number & (doors.len() - 1)]
    }
}

/// What is in flight in a generation, without its value.
#[derive(Debug, Clone)]
pub(crate) struct Flight(Arc<Doors>);

#[derive(Debug)]
struct Doors {
    doors: Box<[Door]>,
    /// Owns the shards until the generation is retired.
    open: Mutex<Vec<Counted<Shard>>>,
    end: Arc<End>,
}

impl Flight {
    fn new(info: SnapshotInfo, events: broadcast::Sender<Event>) -> Self {
        let count = shards();
        let end = Arc::new(End {
            shards_left: AtomicUsize::new(count),
            retired: AtomicBool::new(false),
            drained: watch::Sender::new(false),
            info,
            events,
        });
        let shards = (0..count).map(|_| Counted::new(Shard { end: end.clone() }));
        let open: Vec<_> = shards.collect();
        let door = |shard| Door(Counted::downgrade(shard));
        Self(Arc::new(Doors {
            doors: open.iter().map(door).collect(),
            open: Mutex::new(open),
            end,
        }))
    }

    /// Ends with the last request that is in, or now. To be called once the table lets nobody find the generation.
    pub(crate) fn retire(&self) {
        self.0.end.retired.store(true, Ordering::Release);
        let open = std::mem::take(&mut *lock(&self.0.open));
        drop(open);
    }

    pub(crate) fn in_flight(&self) -> usize {
        let open = lock(&self.0.open);
        let own = usize::from(!open.is_empty());
        let count = |door: &Door| door.0.strong_count().saturating_sub(own);
        self.0.doors.iter().map(count).sum()
    }

    pub(crate) fn info(&self) -> &SnapshotInfo {
        &self.0.end.info
    }

    pub(crate) fn is_drained(&self) -> bool {
        *self.0.end.drained.borrow()
    }

    /// Waits for the end of the last request.
    pub(crate) async fn drained(&self) {
        let mut drained = self.0.end.drained.subscribe();
        // The sender is in `self`, and so outlives the waiting.
        let _ = drained.wait_for(|drained| *drained).await;
    }
}
