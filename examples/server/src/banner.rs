//! What is printed when the server is ready: the addresses to open.

use std::net::SocketAddr;

/// The text for a server that listens on `address`.
pub(crate) fn text(address: SocketAddr) -> String {
    let origin = format!("http://{}", reachable(address));
    format!(
        "\
server {version} - a bookshop in memory, routed by tower-trie-router
listening on {address}, HTTP/1.1 and HTTP/2 (prior knowledge)

  start here   {origin}/
  the API      {origin}/api/v1
  all routes   {origin}/_routes?format=tree
  health       {origin}/healthz

Stop with Ctrl-C; settings: server --help",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// An address that can be opened: every interface's is shown as this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
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
            ("0.0.0.0:80", "http://127.0.0.1:80/"),
            ("[::]:80", "http://[::1]:80/"),
            ("10.0.0.1:80", "http://10.0.0.1:80/"),
        ] {
            let text = super::text(bound.parse().unwrap());
            assert!(text.contains(&format!("{shown}\n")), "{bound}: {text}");
        }
    }
}
