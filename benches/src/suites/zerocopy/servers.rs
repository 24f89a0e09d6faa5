//! The servers compared, each with one worker.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use axum::{Router, serve::ListenerExt};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;
use tower_zerocopy_fs::{ServeFiles, ZeroCopyListener};

use super::{REFERENCE, Site};
use crate::{
    process::{Server, announce, free_address},
    suite::Options,
    tools,
};

pub(super) const OURS: &str = "ServeFiles";
const OURS_PLAIN: &str = "ServeFiles, plain listener";
const NGINX: &str = "nginx";
pub(super) const NGINX_TUNED: &str = "nginx, tuned";
pub(super) const LIGHTTPD: &str = "lighttpd";
const CADDY: &str = "caddy";

pub(super) const PEERS: [&str; 7] = [
    OURS,
    OURS_PLAIN,
    REFERENCE,
    NGINX,
    NGINX_TUNED,
    LIGHTTPD,
    CADDY,
];

/// Starts those that are wanted and installed.
pub(super) fn start(options: &Options, site: &Site) -> Result<Vec<(String, Server)>, String> {
    let root = site.root();
    let root = root.to_str().ok_or("the folder's path is no UTF-8")?;
    let mut servers = Vec::new();
    for name in PEERS {
        // Ours and the reference are always there.
        if !matches!(name, OURS | REFERENCE) && !options.wants_peer(name) {
            continue;
        }
        let server = match name {
            OURS | OURS_PLAIN | REFERENCE => Some(Server::ours(name, "zerocopy", &[name, root])?),
            _ => other(name, site.scratch(), root)?,
        };
        servers.extend(server.map(|server| (name.to_owned(), server)));
    }
    Ok(servers)
}

/// A program from elsewhere, or nothing where it is not installed.
fn other(name: &str, scratch: &Path, root: &str) -> Result<Option<Server>, String> {
    let program = name.split(',').next().unwrap_or(name);
    let Some(path) = tools::find(program) else {
        return Ok(None);
    };
    let address = free_address()?;
    let config = scratch.join(format!("{}.conf", address.port()));
    let mut command = Command::new(path);
    match program {
        NGINX => {
            let text = nginx(scratch, root, address, name == NGINX_TUNED);
            write(&config, &text)?;
            command.arg("-c").arg(&config);
        }
        LIGHTTPD => {
            write(&config, &lighttpd(root, address))?;
            command.arg("-D").arg("-f").arg(&config);
        }
        _ => {
            command
                .env("GOMAXPROCS", "1")
                .args(["file-server", "--listen"]);
            command.arg(address.to_string()).arg("--root").arg(root);
        }
    }
    Server::program(name, command, address).map(Some)
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// The defaults of the distribution's configuration with logs off, or the setting that the most careful measure finds
/// best: no cork, and turns of 256 KiB.
fn nginx(scratch: &Path, root: &str, address: SocketAddr, tuned: bool) -> String {
    let sending = if tuned {
        "tcp_nopush off; sendfile_max_chunk 256k;"
    } else {
        "tcp_nopush on;"
    };
    format!(
        "daemon off; worker_processes 1; pid {}; error_log /dev/null; user root;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; {sending} keepalive_requests 1000000000;\n\
         open_file_cache max=1000; default_type application/octet-stream;\n\
         server {{ listen {address}; root {root}; }} }}\n",
        scratch.join(format!("{}.pid", address.port())).display()
    )
}

fn lighttpd(root: &str, address: SocketAddr) -> String {
    format!(
        "server.document-root = \"{root}\"\nserver.port = {}\nserver.bind = \"{}\"\n\
         server.network-backend = \"sendfile\"\nserver.max-keep-alive-requests = 1000000000\n\
         mimetype.assign = ( \"\" => \"application/octet-stream\" )\n",
        address.port(),
        address.ip()
    )
}

/// Ours, or the peer of the same ecosystem, in a process of its own.
pub(super) fn serve(arguments: &[String]) -> Result<(), String> {
    let [name, root] = arguments else {
        return Err("serve zerocopy <name> <root>".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        announce(listener.local_addr()?);
        let files = || Router::new().fallback_service(ServeFiles::new(root));
        // A socket that refuses the option is closed already.
        let prompt = |listener: TcpListener| listener.tap_io(|io| drop(io.set_nodelay(true)));
        match name.as_str() {
            OURS => axum::serve(ZeroCopyListener::new(listener), files()).await,
            OURS_PLAIN => axum::serve(prompt(listener), files()).await,
            _ => {
                let app = Router::new().fallback_service(ServeDir::new(root));
                axum::serve(prompt(listener), app).await
            }
        }
    });
    served.map_err(|e: std::io::Error| e.to_string())
}
