//! The umbrella server: one axum application, served by every crate of this workspace.
//!
//! `cargo run --release -p server` starts it, `-- --help` says what can be set.

#![forbid(unsafe_code)]

mod accept; // sockets under admission
mod admin; // the admin port: dashboard, metrics
mod api; // the JSON service under /api/v1
mod app; // what handlers share
mod assembly; // the layers: request plane and connection plane
mod banner; // what is printed at the start
mod config; // flags, environment, file, defaults
mod deadline; // 408 for what takes too long
mod early; // 425 for what came before the TLS handshake had ended
mod facts; // the typed context of a request
mod folder; // the static files of all generations
mod guard; // what holds for every request
mod headers; // security headers
mod health; // --check-health
mod host; // one host a request
mod listen; // sockets, bound or handed over
mod live; // server-sent events, WebSocket
mod logging; // structured logs
#[cfg(unix)]
mod notify; // systemd
mod observe; // request ids, durations, access log
mod pages; // landing page, list of routes, health
mod problem; // errors as problem+json
mod proxy; // pooled connections to an upstream
mod reload; // settings that change while the server runs
mod remote; // settings from a URL
#[cfg_attr(not(unix), path = "restart_nowhere.rs")]
mod restart; // SIGUSR2
mod run; // threads
mod serve; // connections in, drain at the end
mod shutdown; // SIGINT and SIGTERM
mod signals; // SIGHUP, SIGUSR1 and SIGUSR2
mod site; // the built-in static site
mod start; // everything above, in order
mod store; // the shop
mod system; // descriptors, memory
mod tls; // certificates
mod unread; // request bodies that nobody reads to their end
mod uploads; // resumable uploads

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use tower_flowctl::serve::End;

use crate::config::Command;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match config::load(std::env::args_os(), std::env::vars_os()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    run_command(command).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn run_command(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    let end = match command {
        Command::Serve(config, loader) => start::serve(*config, loader)?,
        Command::Check(config) => start::check(*config)?,
        Command::CheckHealth(admin) => {
            print(&health::ask(admin?)?);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Print(text) => {
            print(&text);
            return Ok(ExitCode::SUCCESS);
        }
    };
    Ok(match end {
        End::Drained => ExitCode::SUCCESS,
        End::Cut(_) => ExitCode::FAILURE,
    })
}

/// Writes to standard output. Whoever closed it does not want to read, which is no reason not to serve.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
