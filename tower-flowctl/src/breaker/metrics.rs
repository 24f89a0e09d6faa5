use metrics::{Counter, Gauge, counter, gauge};

use super::{BreakerState, RouteSnapshot};

/// The handles of a route, told at the end of each window.
pub(crate) struct Handles {
    state: Gauge,
    p95: Gauge,
    passed: Counter,
    degraded: Counter,
}

impl Handles {
    pub(crate) fn new(route: &str) -> Self {
        let route = || route.to_owned();
        Self {
            state: gauge!("flowctl_breaker_state", "route" => route()),
            p95: gauge!("flowctl_breaker_p95_seconds", "route" => route()),
            passed: counter!("flowctl_breaker_passed_total", "route" => route()),
            degraded: counter!("flowctl_breaker_degraded_total", "route" => route()),
        }
    }

    pub(crate) fn publish(&self, snapshot: &RouteSnapshot) {
        self.state.set(match snapshot.state {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        });
        self.p95.set(snapshot.p95.as_secs_f64());
        self.passed.absolute(snapshot.passed);
        self.degraded.absolute(snapshot.degraded);
    }
}
