//! A limit with a queue in front.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    task::Waker,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Gradient, Queue,
    service::Place,
    state::{Decided, State, Waiter, lock},
};
use crate::later::later;

/// An adaptive limit on requests in flight, with a queue in front. A cheap handle: clones share the limit.
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

struct Shared {
    name: Cow<'static, str>,
    queue: Queue,
    state: Mutex<State>,
    #[cfg(feature = "metrics")]
    published: super::metrics::Published,
}

/// A timer that is so late was held up by whoever runs it: the process was without a processor, or a task did not let others run.
const LATE: Duration = Duration::from_millis(10);

/// What a request gets.
pub(super) enum Entry {
    Granted(Permit),
    Wait { place: Place, until: Instant },
    Rejected,
}

impl Limiter {
    /// A limit that begins with [`Gradient::initial`]. Its name in metrics is `default`: where there are several, [`named`](Self::named)
    /// tells them apart, or they overwrite each other.
    pub fn new(gradient: Gradient, queue: Queue) -> Self {
        Self::named("default", gradient, queue)
    }

    /// As [`new`](Self::new), with a name for it in metrics, which no other has.
    pub fn named(name: impl Into<Cow<'static, str>>, gradient: Gradient, queue: Queue) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                queue,
                state: Mutex::new(State::new(gradient, Instant::now())),
                #[cfg(feature = "metrics")]
                published: Default::default(),
            }),
        }
    }

    /// Its name; `default` without one.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Requests that wait.
    pub fn queue_length(&self) -> usize {
        self.state().waiting
    }

    /// The state of it, for a status page.
    pub fn snapshot(&self) -> LimiterSnapshot {
        self.state().snapshot()
    }

    /// Tells the `metrics` facade how it stands, as before each scrape. Without that it is told by requests, as they begin and
    /// end, ten times a second at most, and by the end of the last one if its beginning was told: what has happened since is not
    /// known before the next request.
    #[cfg(feature = "metrics")]
    pub fn publish(&self) {
        let snapshot = self.state().tell(Instant::now());
        self.publish_as(&snapshot);
    }

    #[cfg(feature = "metrics")]
    #[cold]
    fn publish_as(&self, snapshot: &LimiterSnapshot) {
        let handles = || super::metrics::Handles::new(&self.shared.name);
        let handles = self.shared.published.get_or_init(handles);
        handles.publish(snapshot);
    }

    /// Lets go of the state, wakes those who were granted a place, and tells the facade if it is time for that. That runs foreign
    /// code, which may panic: what the caller has taken must have an owner by now.
    #[inline]
    fn release(&self, state: MutexGuard<'_, State>, wakers: Vec<Waker>, now: Instant) {
        #[cfg(feature = "metrics")]
        {
            let mut state = state;
            let due = state.due(now);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
            // A second panic would be the end of the process.
            if let Some(snapshot) = due
                && !std::thread::panicking()
            {
                self.publish_as(&snapshot);
            }
        }
        #[cfg(not(feature = "metrics"))]
        {
            let _ = now;
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }

    pub(super) fn enter(&self) -> Entry {
        let now = Instant::now();
        let queue = &self.shared.queue;
        let mut state = self.state();
        if state.waiting == 0 {
            state.empty = now;
            if state.in_flight < state.limit.get() {
                state.take();
                let permit = self.permit(now);
                self.release(state, Vec::new(), now);
                return Entry::Granted(permit);
            }
        }
        if state.waiting >= queue.length {
            state.rejected += 1;
            self.release(state, Vec::new(), now);
            return Entry::Rejected;
        }
        let patience = match state.stands(now, queue) {
            true => queue.target,
            false => queue.interval,
        };
        let waiter = Arc::new(Waiter::default());
        state.waiters.push_back(Arc::clone(&waiter));
        state.waiting += 1;
        state.queued += 1;
        let place = Place::new(self.clone(), waiter);
        self.release(state, Vec::new(), now);
        Entry::Wait {
            place,
            until: later(now, patience),
        }
    }

    /// Until when a waiter goes on to wait whose time was over at `until`, if that is noticed late: while nobody could run, those in
    /// flight could not end either, and many of them are about to.
    pub(super) fn held_up(&self, until: Instant) -> Option<Instant> {
        let now = Instant::now();
        let is_late = now.saturating_duration_since(until) >= LATE;
        let queue = &self.shared.queue;
        is_late.then(|| later(now, queue.target.min(queue.interval)))
    }

    /// The permit of a waiter that was granted one.
    pub(super) fn permit(&self, begun: Instant) -> Permit {
        Permit {
            limiter: self.clone(),
            begun,
            end: End::Early,
        }
    }

    /// A waiter's time is over, or its future is dropped: what was decided in the end. To be called once.
    pub(super) fn give_up(&self, waiter: &Waiter) -> Decided {
        let now = Instant::now();
        let mut state = self.state();
        let decided = lock(&waiter.decision).state;
        // Whoever decides holds the state's lock, so that nobody does in between.
        if decided == Decided::Granted {
            return decided;
        }
        lock(&waiter.decision).state = Decided::Gone;
        state.waiting -= 1;
        state.rejected += 1;
        state.forget_gone();
        self.release(state, Vec::new(), now);
        Decided::Gone
    }

    /// A request has ended.
    fn leave(&self, begun: Instant, end: End) {
        let now = Instant::now();
        let latency = now.saturating_duration_since(begun);
        let mut state = self.state();
        if end == End::Whole || state.limit.is_above_base(latency) {
            state.observe(now, latency);
        }
        state.in_flight -= 1;
        let wakers = state.grant(now, &self.shared.queue);
        self.release(state, wakers, now);
    }

    /// A grant that nobody takes.
    pub(super) fn give_back(&self) {
        let now = Instant::now();
        let mut state = self.state();
        state.in_flight -= 1;
        let wakers = state.grant(now, &self.shared.queue);
        self.release(state, wakers, now);
    }
}

/// How a request ended, and so what its latency says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was answered: it took that long.
    Whole,
    /// Its client left, or it failed (4xx, 5xx) and nobody need have done the work: it would have taken that long at least.
    /// A short one says nothing; counted, a few clients that break off would make the rest look slow, and the limit shrink.
    Early,
}

/// A place. Dropping it counts the request's latency and makes room for the next.
pub(super) struct Permit {
    limiter: Limiter,
    begun: Instant,
    end: End,
}

impl Permit {
    /// The request was answered.
    pub(super) fn answered(mut self) {
        self.end = End::Whole;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.leave(self.begun, self.end);
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("name", &self.shared.name)
            .field("state", &self.snapshot())
            .finish()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

/// The state of a [`Limiter`]. Counts are since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LimiterSnapshot {
    /// The limit at this time.
    pub limit: u32,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests that wait.
    pub queue: usize,
    /// Requests that got a place.
    pub accepted: u64,
    /// Requests that had to wait for one, or for nothing.
    pub queued: u64,
    /// Requests that were turned away, or whose client left before they had a place.
    pub rejected: u64,
}
