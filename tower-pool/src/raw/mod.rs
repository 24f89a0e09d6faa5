//! All of the crate's `unsafe` code, behind safe surfaces.
//!
//! | file | what it proves |
//! |---|---|
//! | [`block`] | an aligned allocation is owned by one handle, and only its written bytes are ever read |
//! | [`barrier`] | (no unsafe) a store and a later load are seen in order, at the rare side's cost |
//! | [`bounded`] | what was read into a part of a buffer is initialised in the whole |
//! | [`buf_mut`] | spare bytes become readable only when the writer vouches for them |
//! | [`try_lock`] | the value inside is reached by one thread at a time |
//! | [`heap`] | a call into the C library that touches nothing allocated |
//! | [`held`] | an item and its lease are taken once, by the drop |
//! | [`local`] | a thread finds its own slot of a pool, of the right type, while it lives |
//! | [`slot`] | what a thread keeps at hand is reached by it, or by one other that keeps it out |
//! | [`shared`] | a depot lives as long as one root handle or one lease does |
#![allow(unsafe_code)]

pub(crate) mod barrier;
pub(crate) mod block;
pub(crate) mod bounded;
mod buf_mut;
pub(crate) mod heap;
pub(crate) mod held;
pub(crate) mod local;
pub(crate) mod shared;
pub(crate) mod slot;
pub(crate) mod try_lock;
