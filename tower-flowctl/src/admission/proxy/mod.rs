//! The PROXY protocol, versions 1 and 2, as HAProxy's
//! [specification](https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt) has it.

mod network;
mod parse;

use std::{fmt, io, net::IpAddr, net::SocketAddr, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt};

pub use network::{Network, NetworkError};
pub(crate) use parse::{Header, parse};

/// Which peers are proxies that name the client in the PROXY protocol's header.
///
/// A connection from a trusted peer must begin with a header; one without is reset, because the specification forbids to
/// guess. From all other peers no header is read: they are clients themselves, and what they claim is not believed.
/// Peers on a Unix socket are trusted.
#[derive(Clone, Debug)]
pub struct ProxyProtocol {
    trusted: Vec<Network>,
    deadline: Duration,
}

impl ProxyProtocol {
    /// Trusts these networks. The header must be there within 5 s.
    ///
    /// # Example
    /// ```
    /// use tower_flowctl::admission::ProxyProtocol;
    ///
    /// let proxies = ProxyProtocol::from_trusted(["10.0.0.0/8".parse()?, "fd00::1".parse()?]);
    /// assert!(proxies.trusts("10.1.2.3".parse()?));
    /// assert!(!proxies.trusts("192.0.2.1".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_trusted(networks: impl IntoIterator<Item = Network>) -> Self {
        Self {
            trusted: networks.into_iter().collect(),
            deadline: Duration::from_secs(5),
        }
    }

    /// How long the header may take.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whether this peer is a proxy.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(peer))
    }

    pub(crate) fn deadline_value(&self) -> Duration {
        self.deadline
    }
}

/// A header that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidHeader(pub(crate) &'static str);

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the header of the PROXY protocol is invalid: {}", self.0)
    }
}

impl std::error::Error for InvalidHeader {}

/// Reads a header. Returns the client's address, `None` if the connection is the proxy's own, and what was read after the
/// header.
pub(crate) async fn read<R: AsyncRead + Unpin>(
    io: &mut R,
) -> io::Result<(Option<SocketAddr>, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(256);
    loop {
        let header =
            parse(&bytes).map_err(|invalid| io::Error::new(io::ErrorKind::InvalidData, invalid))?;
        if let Some(Header { source, length }) = header {
            return Ok((source, bytes.split_off(length)));
        }
        if io.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_header_in_pieces_leaves_what_follows() {
        let (first, second, third) = (
            &b"PROXY TCP4 192.0."[..],
            &b"2.7 10.0.0.1 4711 80\r"[..],
            &b"\nGET /"[..],
        );
        let mut io = first.chain(second).chain(third);
        let (source, rest) = read(&mut io).await.unwrap();
        assert_eq!(source, Some("192.0.2.7:4711".parse().unwrap()));
        assert_eq!(rest, b"GET /");
    }

    #[tokio::test]
    async fn an_end_within_the_header_is_an_error() {
        let error = read(&mut &b"PROXY TCP4"[..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let error = read(&mut &b"GET / HTTP/1.1"[..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
