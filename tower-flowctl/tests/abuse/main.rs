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
mod heap;

use tower_flowctl::serve::Exec;

use self::{
    attack::{End, run},
    raw::Server,
};

#[test]
fn attacks_are_stopped_or_cost_little() {
    let mut failures = Vec::new();
    for server in [Server::Hyper, Server::Flowctl(Exec::Local)] {
        for attack in attacks::all() {
            let report = run(&attack, server);
            println!(
                "{server:?}: {:52} {:60} frames {:6}, handlers {:5}, peak {:6} KiB, left {:4} KiB",
                attack.name,
                format!("{:?}", report.end),
                report.frames,
                report.handlers,
                report.peak >> 10,
                report.left >> 10,
            );
            let (end, frames) = attack.expected(server);
            if report.end != *end
                || report.frames > *frames && *end != End::Endured
                || report.peak > attack.memory
                || report.left > 0
            {
                failures.push(format!(
                    "{server:?}: {}: expected {end:?} within {frames} frames and {} bytes, not {report:?}",
                    attack.name, attack.memory
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
