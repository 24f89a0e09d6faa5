//! A limit with a queue in front.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    task::Waker,
};

use tokio::time::Instant;

use super::{
    Gradient, Queue,
    state::{Decided, State, Waiter, lock},
};

/// An adaptive limit on requests in flight, with a queue in front. A cheap handle: clones share the limit.
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Queue,
    state: Mutex<State>,
}

/// What a request gets.
pub(super) enum Entry {
    Granted(Permit),
    Wait { waiter: Arc<Waiter>, until: Instant },
    Rejected,
}

impl Limiter {
    /// A limit that begins with [`Gradient::initial`].
    pub fn new(gradient: Gradient, queue: Queue) -> Self {
        Self {
            shared: Arc::new(Shared {
                queue,
                state: Mutex::new(State::new(gradient, Instant::now())),
            }),
        }
    }

    /// Requests that wait.
    pub fn queue_length(&self) -> usize {
        self.state().waiting
    }

    /// The state of it, for a status page.
    pub fn snapshot(&self) -> LimiterSnapshot {
        let state = self.state();
        LimiterSnapshot {
            limit: state.limit.get(),
            in_flight: state.in_flight,
            queue: state.waiting,
            accepted: state.accepted,
            queued: state.queued,
            rejected: state.rejected,
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
                return Entry::Granted(self.permit(now));
            }
        }
        if state.waiting >= queue.length {
            state.rejected += 1;
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
        Entry::Wait {
            waiter,
            until: now + patience,
        }
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
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A grant that nobody takes.
    pub(super) fn give_back(&self) {
        let now = Instant::now();
        let mut state = self.state();
        state.in_flight -= 1;
        let wakers = state.grant(now, &self.shared.queue);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
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
        self.snapshot().fmt(f)
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
