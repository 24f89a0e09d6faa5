//! What is known of every request: its id, how long it took, a line in the access log, and a span; and of those that were
//! not answered, or not wholly, that they were not.
//!
//! One layer for all of it, as each needs the same moments: the head of the request, the head of the response, and of long
//! ones the end.

mod abort;
mod access_log;
mod body;
mod bounds;
mod end;
mod exemplars;
mod layer;
mod otlp;
mod request_id;
mod trace_context;
mod traffic;

pub(crate) use self::abort::Abort;
pub(crate) use self::access_log::AccessLogger;
pub(crate) use self::exemplars::Exemplar;
pub(crate) use self::layer::ObserveLayer;
pub(crate) use self::otlp::Tracer;
pub(crate) use self::trace_context::Propagation;
pub(crate) use self::traffic::{BUCKETS, Counts, RouteTraffic, Traffic, octave, upper_bound};
