//! The measurements of this workspace: see `benches/README.md`.

mod alloc;
mod cachegrind;
mod gate;
mod load;
mod machine;
mod peers;
mod report;
mod rng;
mod sets;
mod suites;
mod timing;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use peers::Mode;
use sets::Size;

#[derive(Debug, Parser)]
#[command(about = "Measures the crates of this workspace beside their peers")]
struct Cli {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Look-ups by every router in every route set.
    Router(suites::router::Options),
    /// A request through axum's Router and through ours.
    Axum(suites::axum::Options),
    /// Aligned nodes against nodes chained by pointers.
    Locality(suites::locality::Options),
    /// Requests to a running server: errors, rate, latencies, memory.
    Load(load::Options),
    /// Our counts against the committed baseline.
    Gate(gate::Options),
    /// What valgrind runs.
    #[command(subcommand, hide = true)]
    Probe(Probe),
}

#[derive(Debug, Subcommand)]
enum Probe {
    Router {
        peer: String,
        set: String,
        mode: String,
        size: String,
        passes: usize,
    },
    Axum {
        variant: String,
        passes: usize,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().suite {
        Suite::Router(options) => suites::router::run(&options),
        Suite::Axum(options) => suites::axum::run(&options),
        Suite::Locality(options) => suites::locality::run(&options),
        Suite::Load(options) => load::run(&options),
        Suite::Gate(options) => gate::run(&options),
        Suite::Probe(probe) => run_probe(&probe),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run_probe(probe: &Probe) -> Result<(), String> {
    match probe {
        Probe::Router {
            peer,
            set,
            mode,
            size,
            passes,
        } => {
            let mode = Mode::ALL
                .into_iter()
                .find(|m| m.name() == mode)
                .ok_or_else(|| format!("no mode is called `{mode}`"))?;
            let size = if size == "quick" {
                Size::Quick
            } else {
                Size::Full
            };
            suites::router::probe(peer, set, mode, size, *passes)
        }
        Probe::Axum { variant, passes } => suites::axum::probe(variant, *passes),
    }
}
