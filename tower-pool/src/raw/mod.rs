//! All of the crate's `unsafe` code, behind safe surfaces.
//!
//! | file | what it proves |
//! |---|---|
//! | [`block`] | an aligned allocation is owned by one handle, and only its written bytes are ever read |
//! | [`buf_mut`] | spare bytes become readable only when the writer vouches for them |
//! | [`try_lock`] | the value inside is reached by one thread at a time |
//! | [`shared`] | a core lives as long as one root handle or one lease does |
#![allow(unsafe_code)]

pub(crate) mod block;
mod buf_mut;
pub(crate) mod shared;
pub(crate) mod try_lock;
