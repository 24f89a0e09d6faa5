//! Clients that want a server to work for nothing.
//!
//! For each attack: what hyper does about it by itself, what is left to this crate, the memory and the work it
//! takes, and that other connections are served all along. `cargo test --features serve --test abuse -- --nocapture`
//! prints the table.
#![cfg(feature = "serve")]

#[path = "../raw/mod.rs"]
mod raw;

mod attack;
mod attacks;
#[allow(dead_code, reason = "other tests count allocations, too")]
mod heap;

use tower_flowctl::serve::Exec;

use self::{attack::run, raw::Server};

#[test]
fn attacks_are_stopped_or_cost_little() {
    let mut failures = Vec::new();
    for server in [Server::Hyper, Server::Layered, Server::Flowctl(Exec::Local)] {
        for attack in attacks::all() {
            let report = run(&attack, server);
            println!(
                "{server:?}: {:52} {:48} frames {:6}, answers {:6}, handlers {:5}, peak {:5} KiB",
                attack.name,
                format!("{:?}", report.end),
                report.frames,
                report.answers,
                report.handlers,
                report.peak >> 10,
            );
            let (expected, reason) = attack.expected(server);
            let frames_are_few = report.frames <= expected.frames;
            if report.end != expected.end
                || !frames_are_few
                || report.counted != reason
                || report.peak > expected.memory
                || report.left > 0
            {
                failures.push(format!(
                    "{server:?}: {}: expected {expected:?} and {reason:?}, not {report:?}",
                    attack.name
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
