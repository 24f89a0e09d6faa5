//! The umbrella server: one axum application, served by every crate of this workspace.
//!
//! `cargo run --release -p server` starts it, `-- --help` says what can be set.

#![forbid(unsafe_code)]

mod api; // the JSON service under /api/v1
mod assembly; // the layers: request plane and connection plane
mod banner; // what is printed at the start
mod config; // flags, environment, file, defaults
mod logging; // structured logs
mod opening; // a deadline for a connection's first bytes
mod pages; // landing page, list of routes, health
mod problem; // errors as problem+json
mod serve; // connections in, drain at the end
mod shutdown; // SIGINT and SIGTERM
mod store; // the shop in memory

use std::io::Write;
use std::process::ExitCode;
use std::{error, fmt, io};

use axum::serve::Listener;
use tower_trie_router::BuildError;

use crate::config::{Command, Config};
use crate::serve::End;
use crate::shutdown::Shutdown;

fn main() -> ExitCode {
    let config = match config::load(std::env::args_os(), &|name| std::env::var_os(name)) {
        Ok(Command::Serve(config)) => config,
        Ok(Command::Print(text)) => {
            print(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    logging::start(&config);
    match start(&config) {
        Ok(End::Drained) => ExitCode::SUCCESS,
        Ok(End::Cut(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(config: &Config) -> Result<End, StartError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = config.threads {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().build().map_err(StartError::Runtime)?;
    runtime.block_on(run(config))
}

async fn run(config: &Config) -> Result<End, StartError> {
    let shutdown = Shutdown::on_signal().map_err(StartError::Runtime)?;
    let bind_error = |source| StartError::bind(config, source);
    let listener = assembly::connection_plane(config)
        .await
        .map_err(bind_error)?;
    let service = assembly::request_plane(config).map_err(StartError::Routes)?;

    let address = Listener::local_addr(&listener).map_err(bind_error)?;
    print(&format!("{}\n", banner::text(address)));
    tracing::info!(%address, "listening");
    let end = serve::serve(listener, service, config, shutdown).await;
    match end {
        End::Drained => tracing::info!("stopped: every request was answered"),
        End::Cut(connections) => tracing::warn!(
            connections,
            "stopped: the drain timeout cut connections off"
        ),
    }
    Ok(end)
}

/// Writes to standard output. Whoever closed it does not want to read, which is no reason not to serve.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Why the server did not start.
#[derive(Debug)]
enum StartError {
    /// The address cannot be listened on; the text names it and says what to do.
    Bind { advice: String, source: io::Error },
    /// The routes contradict each other.
    Routes(BuildError),
    /// The operating system refused threads or signal handlers.
    Runtime(io::Error),
}

impl StartError {
    fn bind(config: &Config, source: io::Error) -> Self {
        let Config {
            listen,
            listen_origin,
            ..
        } = config;
        let why = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "another program listens there; stop it, or choose another port (--listen 127.0.0.1:0 takes a free one)"
            }
            io::ErrorKind::PermissionDenied => {
                "this user may not open that port; choose one above 1023"
            }
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
            _ => "the operating system refused",
        };
        StartError::Bind {
            advice: format!("cannot listen on {listen} ({listen_origin}): {why}"),
            source,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind { advice, source } => write!(f, "{advice} [{source}]"),
            StartError::Routes(source) => write!(f, "cannot route: {source}"),
            StartError::Runtime(source) => write!(f, "cannot start: {source}"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            StartError::Bind { source, .. } | StartError::Runtime(source) => Some(source),
            StartError::Routes(source) => Some(source),
        }
    }
}
