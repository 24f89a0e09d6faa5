//! A path and method router for tower and axum on a cache-line-aligned trie.
#![cfg_attr(not(feature = "router"), no_std)]

extern crate alloc;

mod trie;

pub use trie::{InsertError, Match, Params, ParamsIter, RouteId, Trie, TrieBuilder};
