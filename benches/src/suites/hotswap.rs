//! Hot swapping: what it costs a request, what a swap under load loses, and what TLS sessions save.
//!
//! `request` counts the instructions of a request through an `axum::Router` of 31 routes, alone and behind each of our
//! services: a clone of the service, readiness, call, and the body to its end, as hyper does it. `read` times
//! looking up what is current. `swaps` replaces the whole application while connections are busy, and reloads nginx and
//! caddy for comparison; `handshakes` counts what full and resumed TLS handshakes cost the server.

mod cost;
mod handshakes;
mod swaps;

use crate::{
    hot::HotPath,
    report::Report,
    suite::{Options, Suite},
};

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "hotswap",
    "Swaps of services and certificates: cost, loss, and what others lose by a reload",
    run,
)
.peers(&["ours", "nginx", "caddy"])
.cases(&["request", "read", "swaps", "handshakes"])
.hot_paths(hot_paths)
.serve(swaps::serve);

fn run(options: &Options) -> Result<(), String> {
    let mut report = Report::new("hotswap");
    let mut faults = Vec::new();
    if options.wants_case("request") {
        cost::requests(&mut report)?;
    }
    if options.wants_case("read") {
        cost::reads(options, &mut report)?;
    }
    if options.wants_case("swaps") {
        faults.extend(swaps::run(options, &mut report)?);
    }
    if options.wants_case("handshakes") {
        handshakes::run(options, &mut report)?;
    }
    report.finish(options)?;
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

fn hot_paths() -> Result<Vec<HotPath>, String> {
    Ok(cost::hot_paths())
}
