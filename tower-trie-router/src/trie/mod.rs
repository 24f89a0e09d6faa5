//! The trie: from patterns and values to matches.
//!
//! | module | what |
//! |---|---|
//! | [`builder`] | the mutable form: a set of patterns |
//! | [`tree`], [`layout`], [`freeze`] | how it is frozen |
//! | [`node`], [`tables`] | the frozen form: an arena of cache lines, and what stands beside it |
//! | [`slashes`], [`walk`], [`backtrack`] | a look-up |
//! | [`params`] | reading a match |
//! | [`picture`] | the trie for human eyes |

mod backtrack;
mod builder;
mod freeze;
mod frozen;
mod layout;
mod node;
mod params;
mod picture;
mod slashes;
mod tables;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

pub use self::{
    builder::TrieBuilder,
    frozen::{Match, RouteId, Trie},
    params::{Params, ParamsIter},
};
