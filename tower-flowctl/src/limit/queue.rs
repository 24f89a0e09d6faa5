use std::time::Duration;

/// How requests wait for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// The most requests that wait. Default 1000; 0 for none, so that what finds no place is turned away at once.
    pub length: usize,
    /// How long a request may wait when the queue stands. Default 5 ms; zero for not at all, and `Duration::MAX` for ever. Who was told
    /// too late that the time is over, since the process stood still, waits for that long once more, but not for more than `interval`.
    pub target: Duration,
    /// How long a request may wait otherwise; and how long the queue must not have been empty to stand. Default 100 ms; zero and
    /// `Duration::MAX` as above.
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
