//! What is known of every request: its id, how long it took, and a line in the access log.
//!
//! One layer for all three, as each needs the same moments: the head of the request, the head of the response.

mod access_log;
mod layer;
mod request_id;
mod traffic;

pub(crate) use self::access_log::AccessLogger;
pub(crate) use self::layer::ObserveLayer;
pub(crate) use self::traffic::{BUCKETS, Counts, Traffic, upper_bound};
