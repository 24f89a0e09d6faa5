//! What is printed when the server is ready: the addresses to open.

use std::fmt::Write;

use crate::listen::{Sockets, reachable};
use crate::serve::Port;

/// The text for a server that listens on these sockets; the token is shown when nobody else knows it.
pub(crate) fn text(sockets: &Sockets, token: Option<&str>) -> String {
    let mut text = format!(
        "server {} - a bookshop, served by every crate of this workspace\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut links = String::new();
    if let Some(address) = sockets.address(Port::Http) {
        let origin = format!("http://{}", reachable(address));
        let _ = writeln!(
            text,
            "listening on {address}, HTTP/1.1 and HTTP/2 (prior knowledge)"
        );
        for (what, path) in [
            ("start here", "/"),
            ("the API", "/api/v1"),
            ("all routes", "/_routes?format=tree"),
            ("static site", "/site/"),
            ("health", "/healthz"),
        ] {
            let _ = writeln!(links, "  {what:<12} {origin}{path}");
        }
    }
    if let Some(address) = sockets.address(Port::Https) {
        let _ = writeln!(text, "listening for TLS on {address}, HTTP/1.1 and HTTP/2");
        let _ = writeln!(links, "  encrypted    https://{}/", reachable(address));
    }
    if let Some(address) = sockets.address(Port::Admin) {
        let origin = reachable(address);
        let _ = writeln!(text, "listening for the admin on {address}");
        let _ = writeln!(
            links,
            "  dashboard    http://{origin}/\n  metrics      http://{origin}/metrics"
        );
        if let Some(token) = token {
            let _ = writeln!(links, "  admin token  {token}");
        }
    }
    format!("{text}\n{links}\nStop with Ctrl-C; settings: server --help\n")
}
