//! tower-flowctl's connection plane and limits beside plain `axum::serve`, nginx, and tower's own layers.
//!
//! The same application for everyone, one worker on the server's core, the clients on the other one. What a case does to the
//! server is at the head of its function; the settings of ours that differ from the defaults are in `server.rs`.
//! The cost when nothing is wrong is counted by the gate: the hot paths are the same request, plain, through the least wrappers
//! there can be, and admitted.

mod attacks;
mod clients;
mod cost;
mod descriptors;
mod honest;
mod idle;
mod overload;
mod server;
mod through;

use crate::{
    process::Server,
    report::Report,
    suite::{Options, Suite},
};

pub(super) const SUITE: Suite = Suite::new(
    "admission",
    "Bursts, attacks, idle connections and overload, beside plain axum",
    run,
)
.peers(&["ours", "axum", "nginx", "tower"])
.cases(&["descriptors", "attacks", "idle", "management", "overload"])
.hot_paths(cost::hot_paths)
.serve(server::serve);

fn run(options: &Options) -> Result<(), String> {
    let mut report = Report::new("admission");
    report.note("Server and clients have a core each; all of them on the loopback interface.");
    let cases: [(&str, Case); 5] = [
        ("descriptors", descriptors::run),
        ("attacks", attacks::run),
        ("idle", idle::run),
        ("management", overload::management),
        ("overload", overload::run),
    ];
    for (_, case) in cases.iter().filter(|(name, _)| options.wants_case(name)) {
        case(options, &mut report)?;
    }
    report.finish(options)
}

type Case = fn(&Options, &mut Report) -> Result<(), String>;

/// A server of this suite, in a process of its own.
fn start(kind: &str, arguments: &[&str]) -> Result<Server, String> {
    let arguments: Vec<&str> = [kind]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    Server::ours(kind, "admission", &arguments)
}
