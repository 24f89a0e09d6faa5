//! Who is in flight, who waits, and what the latencies were.
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

use super::{Gradient, LimiterSnapshot, Queue, gradient::Limit};

pub(super) struct State {
    pub(super) limit: Limit,
    pub(super) in_flight: u32,
    pub(super) waiters: VecDeque<Arc<Waiter>>,
    pub(super) waiting: usize,
    /// When the queue was last empty.
    pub(super) empty: Instant,
    pub(super) window: Window,
    pub(super) accepted: u64,
    pub(super) queued: u64,
    pub(super) rejected: u64,
    #[cfg(feature = "metrics")]
    telling: Telling,
}

/// When the facade is told next, and whether what it was told last was that there are requests.
#[cfg(feature = "metrics")]
struct Telling {
    next: Instant,
    busy: bool,
}

/// Between two times that the facade is told.
#[cfg(feature = "metrics")]
const PAUSE: Duration = Duration::from_millis(100);

/// Latencies since the limit was last adjusted.
pub(super) struct Window {
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
#[derive(Default)]
pub(super) struct Waiter {
    pub(super) decision: Mutex<Decision>,
}

#[derive(Default)]
pub(super) struct Decision {
    pub(super) state: Decided,
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

impl State {
    pub(super) fn new(gradient: Gradient, now: Instant) -> Self {
        Self {
            limit: Limit::new(gradient),
            in_flight: 0,
            waiters: VecDeque::new(),
            waiting: 0,
            empty: now,
            window: Window::new(now),
            accepted: 0,
            queued: 0,
            rejected: 0,
            #[cfg(feature = "metrics")]
            telling: Telling {
                next: now,
                busy: false,
            },
        }
    }

    pub(super) fn snapshot(&self) -> LimiterSnapshot {
        LimiterSnapshot {
            limit: self.limit.get(),
            in_flight: self.in_flight,
            queue: self.waiting,
            accepted: self.accepted,
            queued: self.queued,
            rejected: self.rejected,
        }
    }

    /// What is to be told now: once in a while, and at the end of what was told to be under way.
    #[cfg(feature = "metrics")]
    #[inline]
    pub(super) fn due(&mut self, now: Instant) -> Option<LimiterSnapshot> {
        let is_busy = self.in_flight != 0 || self.waiting != 0;
        if now < self.telling.next && (is_busy || !self.telling.busy) {
            return None;
        }
        Some(self.tell(now))
    }

    /// What is told now.
    #[cfg(feature = "metrics")]
    pub(super) fn tell(&mut self, now: Instant) -> LimiterSnapshot {
        self.telling = Telling {
            next: now + PAUSE,
            busy: self.in_flight != 0 || self.waiting != 0,
        };
        self.snapshot()
    }

    pub(super) fn take(&mut self) {
        self.in_flight += 1;
        self.accepted += 1;
        self.window.most_in_flight = self.window.most_in_flight.max(self.in_flight);
    }

    /// Whether the queue stands: it was not empty for an interval.
    pub(super) fn stands(&self, now: Instant, queue: &Queue) -> bool {
        now - self.empty > queue.interval
    }

    /// Gives what room there is to those who wait.
    pub(super) fn grant(&mut self, now: Instant, queue: &Queue) -> Vec<Waker> {
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
    pub(super) fn forget_gone(&mut self) {
        while let Some(waiter) = self.waiters.front() {
            if lock(&waiter.decision).state == Decided::Waiting {
                break;
            }
            self.waiters.pop_front();
        }
    }

    pub(super) fn observe(&mut self, now: Instant, latency: Duration) {
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waiter")
            .field(&lock(&self.decision).state)
            .finish()
    }
}
