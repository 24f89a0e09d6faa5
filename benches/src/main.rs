//! The driver of the measurements: see `benches/README.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::run()
}
