//! A path and method router for tower and axum on a cache-line-aligned trie.
#![cfg_attr(not(feature = "router"), no_std)]

extern crate alloc;

#[allow(dead_code, unused_imports)]
mod pattern;
mod trie;

pub use pattern::{ConstraintError, InsertError, InsertErrorKind, InsertErrors};
pub use trie::{Match, Params, ParamsIter, RouteId, Trie, TrieBuilder};
