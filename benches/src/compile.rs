//! Peers that are packages of their own, compiled when a suite needs them.
//!
//! The first time that takes minutes, and afterwards next to none: it is told apart from measuring, so that the time of
//! a suite is the same on every run but the first.

use std::{
    path::Path,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::{process::in_turn, suite::Options};

/// All compiling so far.
static SPENT: Mutex<Duration> = Mutex::new(Duration::ZERO);

/// `cargo build` with these arguments in a target folder of its own, and how long that took.
///
/// # Errors
///
/// When cargo does not start, and when something does not compile, which cargo has told on standard error.
pub(crate) fn build(
    what: &str,
    target: &Path,
    options: &Options,
    add: impl FnOnce(&mut Command),
) -> Result<(), String> {
    println!("compiling {what}; the first time this takes minutes");
    let start = Instant::now();
    let mut cargo = if options.priority {
        in_turn("cargo")
    } else {
        Command::new("cargo")
    };
    cargo
        .args(["build", "--locked", "--quiet"])
        .env("CARGO_TARGET_DIR", target);
    add(&mut cargo);
    let status = cargo.status();
    let took = start.elapsed();
    *SPENT.lock().unwrap_or_else(|e| e.into_inner()) += took;
    println!("compiling {what} took {:.1} s", took.as_secs_f64());
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("compiling {what} failed")),
        Err(error) => Err(format!("cargo does not start: {error}")),
    }
}

/// How long this process has waited for cargo so far.
pub(crate) fn spent() -> Duration {
    *SPENT.lock().unwrap_or_else(|e| e.into_inner())
}
