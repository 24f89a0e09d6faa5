//! How many connections each client has.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use super::{Limits, Refusal};

/// A listener's address type: what of it is a client.
pub trait ClientAddress: Clone + Send + 'static {
    /// The client's address, by which connections are counted; `None` where there is none, as with Unix sockets.
    fn ip(&self) -> Option<IpAddr>;

    /// The address that a trusted proxy's header gives; `None` if this type cannot hold it.
    fn proxied(source: SocketAddr) -> Option<Self>;
}

impl ClientAddress for SocketAddr {
    fn ip(&self) -> Option<IpAddr> {
        Some(SocketAddr::ip(self))
    }

    fn proxied(source: SocketAddr) -> Option<Self> {
        Some(source)
    }
}

/// A key of the table: an address, or a prefix, with its length, so that the two do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Prefix(IpAddr, u8);

impl Prefix {
    fn address(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self(ip, 32),
            IpAddr::V6(_) => Self(ip, 128),
        }
    }

    /// /24 of IPv4, /64 of IPv6.
    fn network(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self(Ipv4Addr::new(a, b, c, 0).into(), 24)
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into(), 64)
            }
        }
    }
}

/// The connections of each address and prefix. It holds no entry for a client without connections, so it is never
/// larger than the table of connections.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    counts: Mutex<HashMap<Prefix, u32>>,
}

impl Addresses {
    /// Counts a connection of `ip`, or says which limit it would be over.
    pub(crate) fn enter(&self, ip: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        let ip = ip.to_canonical();
        let (address, network) = (Prefix::address(ip), Prefix::network(ip));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |key: &Prefix, limit: Option<u32>| {
            limit.is_some_and(|limit| counts.get(key).is_some_and(|&count| count >= limit))
        };
        if full(&address, limits.per_address) {
            return Err(Refusal::Address);
        }
        if full(&network, limits.per_prefix) {
            return Err(Refusal::Prefix);
        }
        for key in [address, network] {
            *counts.entry(key).or_insert(0) += 1;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        let counts = self.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes back an [`enter`](Self::enter).
    pub(crate) fn leave(&self, ip: IpAddr) {
        let ip = ip.to_canonical();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [Prefix::address(ip), Prefix::network(ip)] {
            if let Some(count) = counts.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&key);
                }
            }
        }
        // What a burst of many clients needed is given back.
        if counts.capacity() > 4096 && counts.len() * 8 < counts.capacity() {
            counts.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(addresses: &Addresses, ip: &str, limits: &Limits) -> Result<(), Refusal> {
        addresses.enter(ip.parse().unwrap(), limits)
    }

    #[test]
    fn counts_addresses_and_prefixes_apart() {
        let limits = Limits::none().per_address(2).per_prefix(3);
        let addresses = Addresses::default();
        let cases = [
            ("10.0.0.1", Ok(())),
            ("::ffff:10.0.0.1", Ok(())),
            ("10.0.0.1", Err(Refusal::Address)),
            ("10.0.0.2", Ok(())),
            ("10.0.0.3", Err(Refusal::Prefix)),
            ("10.0.1.3", Ok(())),
            ("2001:db8::1", Ok(())),
            ("2001:db8::2", Ok(())),
            ("2001:db8::3", Ok(())),
            ("2001:db8::4", Err(Refusal::Prefix)),
            ("2001:db8:0:1::4", Ok(())),
        ];
        for (ip, expected) in cases {
            assert_eq!(enter(&addresses, ip, &limits), expected, "{ip}");
        }
        for (ip, result) in cases {
            if result.is_ok() {
                addresses.leave(ip.parse().unwrap());
            }
        }
        assert!(addresses.counts.lock().unwrap().is_empty());
    }
}
