//! The measurements of this workspace: see `benches/README.md`, which also tells how to add a suite.
//!
//! | module | what |
//! |---|---|
//! | [`suite`], [`suites`] | what a suite is, and all of them |
//! | [`hot`], [`cachegrind`], [`alloc`] | hot paths: instructions by function, allocations |
//! | [`timing`] | interleaved rounds of microseconds in this process, by the thread's CPU time |
//! | [`process`], [`rounds`], [`tools`], `compile` | peers in processes of their own, pinned; interleaved rounds of seconds |
//! | [`load`] | the load generator |
//! | [`report`], [`plot`], [`progress`], [`stats`] | tables, JSON, SVG, bars, intervals |
//! | [`results`], [`tables`] | committed results read back; the measured text of the documents |
//! | [`baseline`], [`gate`] | what a release has measured, and what a change may not make worse |

pub mod alloc;
mod application;
pub mod baseline;
pub mod cachegrind;
mod cli;
mod compile;
pub mod gate;
pub mod hot;
pub mod load;
pub mod machine;
mod peers;
pub mod plot;
pub mod process;
pub mod progress;
pub mod report;
pub mod results;
pub mod rng;
pub mod rounds;
mod sets;
pub mod stats;
pub mod suite;
pub mod suites;
pub mod tables;
pub mod timing;
pub mod tools;
mod turns;

pub use cli::{parses, run};
