//! The tests of `axum_extract` once more, with axum's own functions making the endpoints: each
//! `MethodRouter` then becomes a compatibility leaf.
#![cfg(feature = "axum")]

mod axum_support;
#[path = "axum_extract/matched_path.rs"]
mod matched_path;
#[path = "axum_extract/method_routing.rs"]
mod method_routing;
#[path = "axum_extract/nested_path.rs"]
mod nested_path;
#[path = "axum_extract/path.rs"]
mod path;

use axum::routing as methods;
use axum_support as support;
