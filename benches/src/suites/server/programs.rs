//! The servers as processes: compiled, and started on a free port.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use super::{HELLO, Peer};
use crate::{
    compile,
    process::{Server, free_address},
    suite::Options,
    tools,
};

/// What a server is.
pub(super) enum Program {
    /// A program of `benches/peers` with these words after the address.
    Rust(&'static str, &'static [&'static str]),
    Go,
    Nginx,
    /// `examples/server` in this run mode.
    Umbrella(&'static str),
}

/// Where the programs are.
pub(super) struct Programs {
    peers: PathBuf,
    umbrella: Option<PathBuf>,
}

impl Programs {
    /// Compiles what these servers need.
    pub(super) fn build(peers: &[&Peer], options: &Options) -> Result<Self, String> {
        let umbrella = peers.iter().any(|peer| peer.is_umbrella());
        Ok(Programs {
            peers: build_peers(options)?,
            umbrella: umbrella.then(|| build_umbrella(options)).transpose()?,
        })
    }
}

/// Compiles the programs of `benches/peers` and says where they are.
fn build_peers(options: &Options) -> Result<PathBuf, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let target = package.join("../../target/peers");
    compile::build("the peers", &target, options, |cargo| {
        cargo
            .args(["--release", "--workspace", "--manifest-path"])
            .arg(package.join("Cargo.toml"));
    })?;
    Ok(target.join("release"))
}

/// Compiles the example server with the peers' profile, and says where it is.
fn build_umbrella(options: &Options) -> Result<PathBuf, String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = workspace.join("target/umbrella");
    compile::build("the example server's crates", &target, options, |cargo| {
        cargo
            .args(["--profile", "production", "-p", "server"])
            .env("CARGO_PROFILE_PRODUCTION_LTO", "fat")
            .current_dir(&workspace);
    })?;
    Ok(target.join("production/server"))
}

/// Starts a server; `None` if it is not to be had here, which has been said then.
pub(super) fn start(peer: &Peer, programs: &Programs) -> Result<Option<Server>, String> {
    let address = free_address()?;
    let umbrella = programs.umbrella.as_deref();
    let programs = &programs.peers;
    let command = match peer.program {
        Program::Umbrella(run_mode) => {
            let mut command = Command::new(umbrella.ok_or("the example server is not compiled")?);
            command.args(["--listen", &address.to_string(), "--run-mode", run_mode]);
            command.args(["--tls-listen", "off", "--admin-listen", "off"]);
            command.args(["--threads", "1", "--log", "error"]);
            command.args(["--max-connections-per-address", "unlimited"]);
            command
        }
        Program::Rust(program, words) => {
            let mut command = Command::new(programs.join(program));
            command.arg(address.to_string()).args(words);
            command
        }
        Program::Go => {
            let Some(go) = tools::find("go") else {
                return Ok(None);
            };
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/go/main.go");
            let program = programs.join("go-net-http");
            let built = Command::new(go)
                .args(["build", "-o"])
                .args([&program, &source])
                .status();
            if !built.is_ok_and(|status| status.success()) {
                tools::missing(
                    peer.name,
                    "its program does not compile (Go 1.22 or newer is needed)",
                );
                return Ok(None);
            }
            let mut command = Command::new(program);
            command.arg(address.to_string());
            command
        }
        Program::Nginx => {
            let Some(nginx) = tools::find("nginx") else {
                return Ok(None);
            };
            let mut command = Command::new(nginx);
            command
                .arg("-c")
                .arg(nginx_configuration(programs, address)?);
            command
        }
    };
    match Server::program(peer.name, command, address) {
        Ok(server) => Ok(Some(server)),
        Err(error) => {
            tools::missing(peer.name, &error);
            Ok(None)
        }
    }
}

fn nginx_configuration(dir: &Path, address: SocketAddr) -> Result<PathBuf, String> {
    let file = dir.join("nginx.conf");
    let pid = dir.join("nginx.pid");
    let text = format!(
        "daemon off; worker_processes 1; pid {}; error_log stderr crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 1000000000;\n\
         server {{ listen {address};\n\
         location = {HELLO} {{ default_type \"text/plain; charset=utf-8\"; return 200 \"Hello, World!\"; }}\n\
         location ~ ^/api/v1/books/(?<id>[0-9]+)$ {{ default_type application/json;\n\
         return 200 '{{\"id\":$id,\"title\":\"The Rust Programming Language\",\"author\":\"Steve Klabnik and Carol Nichols\",\"cents\":3995}}'; }} }} }}\n",
        pid.display()
    );
    fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    fs::canonicalize(&file).map_err(|e| format!("{}: {e}", file.display()))
}
