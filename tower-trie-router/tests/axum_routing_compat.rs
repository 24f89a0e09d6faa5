//! The tests of `axum_routing` once more, with axum's own functions making the endpoints: each
//! `MethodRouter` then becomes a compatibility leaf.
#![cfg(feature = "axum")]

mod axum_support;
#[path = "axum_routing/fallback.rs"]
mod fallback;
#[path = "axum_routing/get_to_head.rs"]
mod get_to_head;
#[path = "axum_routing/handle_error.rs"]
mod handle_error;
#[path = "axum_routing/merge.rs"]
mod merge;
#[path = "axum_routing/nest.rs"]
mod nest;
#[path = "axum_routing/routing.rs"]
mod routing;

use axum::routing as methods;
use axum_support as support;

/// How often a request clones the state: axum's 3 times, and twice for the leaf.
const STATE_CLONES: usize = 5;
