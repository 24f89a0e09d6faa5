//! A limit with a queue in front.
//!
//! # Invariants
//! - `in_flight` counts the permits that are out, those granted to a waiter that has not taken them yet included.
//! - A waiter in the queue is `WAITING`, or somebody has decided about it since; only the change from `WAITING`, under the
//!   lock, decides. `waiting` counts those that are `WAITING`.
//! - Nobody waits while there is room: whoever makes room grants it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use tokio::time::Instant;

use super::{Gradient, gradient::Limit};

/// How requests wait for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// The most requests that wait. Default 1000; 0 for none, so that what finds no place is turned away at once.
    pub length: usize,
    /// How long a request may wait when the queue stands. Default 5 ms.
    pub target: Duration,
    /// How long a request may wait otherwise; and how long the queue must not have been empty to stand. Default 100 ms.
    pub interval: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            length: 1000,
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
        }
    }
}

impl Queue {
    /// No queue.
    pub fn none() -> Self {
        Self {
            length: 0,
            ..Self::default()
        }
    }

    /// Delays for clients that wait for `patience`: a half of it may pass in the queue, and a twentieth once the queue stands;
    /// the rest is for the answer.
    pub fn within(patience: Duration) -> Self {
        Self::default().delays(patience / 20, patience / 2)
    }

    /// Sets [`length`](Self::length).
    pub fn length(mut self, requests: usize) -> Self {
        self.length = requests;
        self
    }

    /// Sets [`target`](Self::target) and [`interval`](Self::interval).
    pub fn delays(mut self, target: Duration, interval: Duration) -> Self {
        (self.target, self.interval) = (target, interval);
        self
    }
}

/// An adaptive limit on requests in flight, with a queue in front. A cheap handle: clones share the limit.
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Queue,
    state: Mutex<State>,
}

struct State {
    limit: Limit,
    in_flight: u32,
    waiters: VecDeque<Arc<Waiter>>,
    waiting: usize,
    /// When the queue was last empty.
    empty: Instant,
    window: Window,
    accepted: u64,
    queued: u64,
    rejected: u64,
}

/// Latencies since the limit was last adjusted.
struct Window {
    /// When it has lasted long enough. To compare moments is cheaper than to tell how far they are apart.
    ends: Instant,
    count: u32,
    sum: Duration,
    most_in_flight: u32,
}

/// A window ends when it has lasted so long and has so many requests.
const WINDOW: Duration = Duration::from_millis(100);
const WINDOW_REQUESTS: u32 = 10;

impl Window {
    fn new(begun: Instant) -> Self {
        Self {
            ends: begun + WINDOW,
            count: 0,
            sum: Duration::ZERO,
            most_in_flight: 0,
        }
    }
}

/// A request in the queue.
pub(super) struct Waiter {
    decision: Mutex<Decision>,
}

#[derive(Default)]
struct Decision {
    state: Decided,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Decided {
    #[default]
    Waiting,
    Granted,
    /// Timed out, or its future was dropped.
    Gone,
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
        let now = Instant::now();
        Self {
            shared: Arc::new(Shared {
                queue,
                state: Mutex::new(State {
                    limit: Limit::new(gradient),
                    in_flight: 0,
                    waiters: VecDeque::new(),
                    waiting: 0,
                    empty: now,
                    window: Window::new(now),
                    accepted: 0,
                    queued: 0,
                    rejected: 0,
                }),
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
        let waiter = Arc::new(Waiter {
            decision: Mutex::default(),
        });
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

impl State {
    fn take(&mut self) {
        self.in_flight += 1;
        self.accepted += 1;
        self.window.most_in_flight = self.window.most_in_flight.max(self.in_flight);
    }

    /// Whether the queue stands: it was not empty for an interval.
    fn stands(&self, now: Instant, queue: &Queue) -> bool {
        now - self.empty > queue.interval
    }

    /// Gives what room there is to those who wait.
    fn grant(&mut self, now: Instant, queue: &Queue) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while self.in_flight < self.limit.get() && self.waiting > 0 {
            let next = match self.stands(now, queue) {
                true => self.waiters.pop_back(),
                false => self.waiters.pop_front(),
            };
            let Some(waiter) = next else { break };
            let mut decision = lock(&waiter.decision);
            if decision.state == Decided::Waiting {
                decision.state = Decided::Granted;
                wakers.extend(decision.waker.take());
                drop(decision);
                self.waiting -= 1;
                self.take();
            }
        }
        if self.waiting == 0 {
            self.waiters.clear();
            self.empty = now;
        }
        wakers
    }

    /// Lets go of those at the ends that are gone, so that the queue holds few of them: the oldest time out first.
    fn forget_gone(&mut self) {
        while let Some(waiter) = self.waiters.front() {
            if lock(&waiter.decision).state == Decided::Waiting {
                break;
            }
            self.waiters.pop_front();
        }
    }

    fn observe(&mut self, now: Instant, latency: Duration) {
        let window = &mut self.window;
        window.count += 1;
        window.sum += latency;
        if window.count >= WINDOW_REQUESTS && now >= window.ends {
            self.limit
                .window_ended(window.sum / window.count, window.most_in_flight);
            self.window = Window::new(now);
            self.window.most_in_flight = self.in_flight;
        }
    }
}

impl Waiter {
    /// What was decided; while nothing is, `waker` is woken when it will be.
    pub(super) fn poll(&self, waker: &Waker) -> Decided {
        let mut decision = lock(&self.decision);
        if decision.state == Decided::Waiting {
            match &mut decision.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        decision.state
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waiter")
            .field(&lock(&self.decision).state)
            .finish()
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
