use std::{fmt, net::IpAddr, str::FromStr};

/// A network in CIDR form, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// The network of the addresses that share the first `length` bits with `address`.
    ///
    /// # Errors
    /// If the length is over 32, of IPv6 over 128.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, NetworkError> {
        if length > bits(address) {
            return Err(NetworkError(format!("{address}/{length}")));
        }
        Ok(Self { address, length })
    }

    /// Whether the address belongs to it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs) = (value(self.address), value(address));
        let rest = u32::from(bits(self.address) - self.length);
        self.address.is_ipv4() == address.is_ipv4()
            && (ours ^ theirs).checked_shr(rest).unwrap_or(0) == 0
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.to_owned());
        let (address, length) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let length = match text.contains('/') {
            true => length.parse().map_err(|_| error())?,
            false => bits(address),
        };
        Self::new(address, length).map_err(|_| error())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A text that names no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError(String);

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no network; it must be an address, or an address and a length, as `10.0.0.0/8` or `fd00::/8`",
            self.0
        )
    }
}

impl std::error::Error for NetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "192.0.2.6", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("2001:db8::/64", "2001:db8::ffff:0:0:1", true),
        ];
        for (network, address, expected) in cases {
            let network: Network = network.parse().unwrap();
            let address = address.parse().unwrap();
            assert_eq!(
                network.contains(address),
                expected,
                "{address} in {network}"
            );
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0/8",
            "fd00::/129",
            "host",
        ] {
            let error = wrong.parse::<Network>().unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("`{wrong}`")),
                "{error}"
            );
        }
    }
}
