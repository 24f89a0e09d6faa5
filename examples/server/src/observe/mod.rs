//! What is known of every request: its id, how long it took, a line in the access log, and a span.
//!
//! One layer for all of it, as each needs the same moments: the head of the request, the head of the response.

mod access_log;
mod exemplars;
mod layer;
mod otlp;
mod request_id;
mod traffic;

pub(crate) use self::access_log::AccessLogger;
pub(crate) use self::exemplars::Exemplar;
pub(crate) use self::layer::ObserveLayer;
pub(crate) use self::otlp::Tracer;
pub(crate) use self::traffic::{BUCKETS, Counts, RouteTraffic, Traffic, octave, upper_bound};
