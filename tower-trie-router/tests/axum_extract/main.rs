//! axum 0.8.9's own tests of its path extractors and method router, with this crate's router and
//! `Path` in place of axum's, and what this crate's extractors do beyond them.
//!
//! Each test taken over keeps its name, in the module of the same name. Where the two differ on
//! purpose, the test asserts what this crate does, and `docs/differences.md` says why. The tests of
//! axum's private deserializer (`extract/path/de.rs`) are beside ours, in `src/axum/path/tests.rs`.
#![cfg(feature = "axum")]

mod beside_axum;
mod matched_path;
mod method_routing;
mod nested_path;
mod own;
mod path;
#[path = "../axum_support/mod.rs"]
mod support;

/// What makes endpoints: this crate's functions. `axum_extract_compat` runs the same tests with axum's.
mod methods {
    pub(crate) use tower_trie_router::routing::{MethodRoutes as MethodRouter, *};
}
