//! axum 0.8.9's own routing tests (`axum/src/routing/tests`), with this crate's router in place of
//! axum's.
//!
//! Each test keeps its name, in the module of the same name, so that the two can be read side by
//! side. Where the routers differ on purpose, the test asserts what this one does, and
//! `docs/differences.md` says why.
#![cfg(feature = "axum")]

mod fallback;
mod get_to_head;
mod handle_error;
mod merge;
mod nest;
mod routing;
#[path = "../axum_support/mod.rs"]
mod support;

/// What makes endpoints: this crate's functions. `axum_routing_compat` runs the same tests with axum's.
mod methods {
    pub(crate) use tower_trie_router::routing::{MethodRoutes as MethodRouter, *};
}

/// How often a request clones the state: for the handler and for its extractor.
const STATE_CLONES: usize = 2;
