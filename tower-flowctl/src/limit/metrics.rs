use std::sync::OnceLock;

use metrics::{Counter, Gauge, counter, gauge};

use super::LimiterSnapshot;

/// The handles of a limiter.
pub(super) struct Handles {
    limit: Gauge,
    in_flight: Gauge,
    queue: Gauge,
    accepted: Counter,
    queued: Counter,
    rejected: Counter,
}

/// Made when there is something to tell, so that a recorder installed after the limiter was made still gets them.
pub(super) type Published = OnceLock<Handles>;

impl Handles {
    pub(super) fn new(limiter: &str) -> Self {
        let limiter = || limiter.to_owned();
        Self {
            limit: gauge!("flowctl_limiter_limit", "limiter" => limiter()),
            in_flight: gauge!("flowctl_limiter_in_flight", "limiter" => limiter()),
            queue: gauge!("flowctl_limiter_queue", "limiter" => limiter()),
            accepted: counter!("flowctl_limiter_accepted_total", "limiter" => limiter()),
            queued: counter!("flowctl_limiter_queued_total", "limiter" => limiter()),
            rejected: counter!("flowctl_limiter_rejected_total", "limiter" => limiter()),
        }
    }

    pub(super) fn publish(&self, snapshot: &LimiterSnapshot) {
        self.limit.set(snapshot.limit);
        self.in_flight.set(snapshot.in_flight);
        self.queue.set(snapshot.queue as f64);
        self.accepted.absolute(snapshot.accepted);
        self.queued.absolute(snapshot.queued);
        self.rejected.absolute(snapshot.rejected);
    }
}
