//! What is printed when the server is ready: the addresses to open.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::listen::Sockets;
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

/// An address that can be opened: every interface's is shown as this machine's own.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            (std::net::Ipv6Addr::LOCALHOST, v6.port()).into()
        }
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_unspecified_address_is_shown_as_this_machine() {
        for (bound, shown) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            assert_eq!(super::reachable(bound.parse().unwrap()).to_string(), shown);
        }
    }
}
