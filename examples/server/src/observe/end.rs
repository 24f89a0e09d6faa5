//! What is written of a request when it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode};

use super::abort::Abort;
use super::access_log::{Line, Took};
use super::layer::ObserveLayer;
use super::otlp::Span;
use super::traffic::RouteTraffic;

/// What is known of a request once its response has begun, or cannot any more.
pub(super) struct End {
    pub(super) layer: Arc<ObserveLayer>,
    /// `None` without a route.
    pub(super) route: Option<Arc<RouteTraffic>>,
    /// `None` without a response.
    pub(super) status: Option<StatusCode>,
    pub(super) started: Instant,
    /// Until the response began.
    pub(super) elapsed: Duration,
    pub(super) id: HeaderValue,
    pub(super) line: Option<Box<Line>>,
    pub(super) span: Option<Box<Span>>,
}

impl End {
    /// Writes the line of the access log and ends the span. `bytes` is what the body has come to, or will. Returns the
    /// request's id.
    pub(super) fn write(self, bytes: Option<u64>, abort: Option<Abort>) -> HeaderValue {
        let End {
            layer,
            route,
            status,
            started,
            elapsed,
            id,
            line,
            span,
        } = self;
        if let (Some(tracer), Some(span)) = (&layer.tracer, span) {
            tracer.end(*span, route, status, abort);
        }
        if let Some(line) = line {
            let took = Took {
                to_response: elapsed,
                so_far: started.elapsed(),
            };
            layer.log.write(*line, status, bytes, took, &id, abort);
        }
        id
    }

    /// As [`write`](Self::write), for a body that has not come to its end.
    pub(super) fn abort(self, bytes: u64, abort: Abort) {
        let counters = self.route.as_deref().unwrap_or(&self.layer.unmatched);
        counters.record_abort(abort);
        self.write(Some(bytes), Some(abort));
    }
}
