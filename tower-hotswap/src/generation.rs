//! A snapshot in service, and the count of what it has in flight.
//!
//! A generation is one stay of a snapshot in the table: a rollback makes a new generation of an old snapshot.
//! Requests are counted in shards, one for each processor, so that threads do not meet in the counting. Each
//! shard is one word: the lowest bit says *retired*, the rest counts requests. Always true:
//!
//! - Nobody enters a retired shard, so a shard that is retired and empty stays so. It has *ended*.
//! - Whoever makes a shard retired and empty, the one who leaves last or the one who retires it, and nobody else,
//!   takes one off the count of shards left; whoever takes off the last one announces that the generation drained.
//! - A request leaves the shard it entered, on whatever thread it ends.
//!
//! So `drained` is exact: it is announced once, after the last request and never before. The cost of a request is
//! one compare-and-swap and one subtraction on a word that its thread has for itself.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::{
    Event, Snapshot, SnapshotInfo,
    in_flight::InFlight,
    sync::{AtomicUsize, Ordering, shards, thread_number},
};

const RETIRED: usize = 1;
const REQUEST: usize = 2;

/// One thread's count. Aligned so that no two share a cache line, nor the pair of lines that is prefetched.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shard {
    word: AtomicUsize,
    end: Arc<End>,
}

impl Shard {
    /// Counts a request in, unless the generation is retired.
    #[inline]
    pub(crate) fn enter(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & RETIRED == 0 {
            let entered = word + REQUEST;
            match self.word.compare_exchange_weak(
                word,
                entered,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Counts in one more on behalf of somebody who is in.
    pub(crate) fn enter_again(&self) {
        self.word.fetch_add(REQUEST, Ordering::Relaxed);
    }

    /// Counts a request out.
    #[inline]
    pub(crate) fn leave(&self) {
        if self.word.fetch_sub(REQUEST, Ordering::AcqRel) == REQUEST | RETIRED {
            self.end.shard_ended();
        }
    }

    /// Lets nobody in from now on. To be called once.
    fn retire(&self) {
        if self.word.fetch_or(RETIRED, Ordering::AcqRel) == 0 {
            self.end.shard_ended();
        }
    }

    fn in_flight(&self) -> usize {
        self.word.load(Ordering::Relaxed) / REQUEST
    }

    pub(crate) fn info(&self) -> &SnapshotInfo {
        &self.end.info
    }
}

/// The end of a generation.
#[derive(Debug)]
pub(crate) struct End {
    shards_left: AtomicUsize,
    drained: watch::Sender<bool>,
    info: SnapshotInfo,
    events: broadcast::Sender<Event>,
}

impl End {
    #[cold]
    fn shard_ended(&self) {
        if self.shards_left.fetch_sub(1, Ordering::AcqRel) == 1 {
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

    /// The shard of this thread.
    #[inline]
    pub(crate) fn shard(&self) -> &Arc<Shard> {
        let shards = &self.flight.shards;
        &shards[thread_number() & (shards.len() - 1)]
    }

    /// Counts a request in, unless the generation is retired.
    pub(crate) fn enter(&self) -> Option<InFlight> {
        InFlight::enter(self.shard())
    }
}

/// What is in flight in a generation, without its value.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    shards: Arc<[Arc<Shard>]>,
}

impl Flight {
    fn new(info: SnapshotInfo, events: broadcast::Sender<Event>) -> Self {
        let count = shards();
        let end = Arc::new(End {
            shards_left: AtomicUsize::new(count),
            drained: watch::Sender::new(false),
            info,
            events,
        });
        let shard = |_| {
            Arc::new(Shard {
                word: AtomicUsize::new(0),
                end: end.clone(),
            })
        };
        Self {
            shards: (0..count).map(shard).collect(),
        }
    }

    /// Lets no request in from now on. To be called once.
    pub(crate) fn retire(&self) {
        self.shards.iter().for_each(|shard| shard.retire());
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.shards.iter().map(|shard| shard.in_flight()).sum()
    }

    pub(crate) fn info(&self) -> &SnapshotInfo {
        self.shards[0].info()
    }

    pub(crate) fn is_drained(&self) -> bool {
        *self.shards[0].end.drained.borrow()
    }

    /// Waits for the end of the last request.
    pub(crate) async fn drained(&self) {
        let mut drained = self.shards[0].end.drained.subscribe();
        // The sender is in `self`, and so outlives the waiting.
        let _ = drained.wait_for(|drained| *drained).await;
    }
}
