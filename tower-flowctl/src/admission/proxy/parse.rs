//! The parser: bytes in, an address out, no input or output.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::InvalidHeader;

/// The longest first version, its end of line included (specification 2.1).
const LONGEST_V1: usize = 107;

/// What begins the second version (2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest second version that is read: addresses and some kilobytes of extensions. The format could have 64 KiB.
const LONGEST_V2: usize = 4096;

/// A complete header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The client, unless the connection is the proxy's own, or of a kind without addresses.
    pub(crate) source: Option<SocketAddr>,
    /// Its bytes.
    pub(crate) length: usize,
}

/// Parses the header at the front of `bytes`; `None` if it is not complete.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Header>, InvalidHeader> {
    if starts_as(bytes, SIGNATURE) {
        parse_v2(bytes)
    } else if starts_as(bytes, b"PROXY ") {
        parse_v1(bytes)
    } else {
        Err(InvalidHeader(
            "it begins as neither version 1 nor version 2 does",
        ))
    }
}

/// Whether the two agree as far as both go.
fn starts_as(bytes: &[u8], start: &[u8]) -> bool {
    let length = bytes.len().min(start.len());
    bytes[..length] == start[..length]
}

fn parse_v1(bytes: &[u8]) -> Result<Option<Header>, InvalidHeader> {
    let seen = &bytes[..bytes.len().min(LONGEST_V1)];
    let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") else {
        if seen.len() == LONGEST_V1 {
            return Err(InvalidHeader(
                "version 1 has no end of line within 107 bytes",
            ));
        }
        return Ok(None);
    };
    let line =
        std::str::from_utf8(&bytes[..end]).map_err(|_| InvalidHeader("version 1 is not text"))?;
    let source = source_v1(line)?;
    Ok(Some(Header {
        source,
        length: end + 2,
    }))
}

fn source_v1(line: &str) -> Result<Option<SocketAddr>, InvalidHeader> {
    let mut fields = line.split(' ').skip(1);
    let protocol = fields.next().unwrap_or_default();
    let is_v4 = match protocol {
        // What follows it is to be ignored.
        "UNKNOWN" => return Ok(None),
        "TCP4" => true,
        "TCP6" => false,
        _ => return Err(InvalidHeader("the protocol is not TCP4, TCP6 or UNKNOWN")),
    };
    let mut address = || -> Option<IpAddr> {
        let address: IpAddr = fields.next()?.parse().ok()?;
        (address.is_ipv4() == is_v4).then_some(address)
    };
    let (source, destination) = (address(), address());
    let mut port = || -> Option<u16> {
        let text = fields.next()?;
        // "no leading zero", and no sign.
        let canonical = text == "0" || text.starts_with(|first: char| ('1'..='9').contains(&first));
        canonical.then(|| text.parse().ok())?
    };
    let (source_port, destination_port) = (port(), port());
    match (
        source,
        destination,
        source_port,
        destination_port,
        fields.next(),
    ) {
        (Some(source), Some(_), Some(port), Some(_), None) => Ok(Some((source, port).into())),
        _ => Err(InvalidHeader(
            "version 1 does not have two addresses of its protocol and two ports",
        )),
    }
}

fn parse_v2(bytes: &[u8]) -> Result<Option<Header>, InvalidHeader> {
    let Some((&[version_and_command, family_and_transport, high, low], payload)) = bytes
        .get(SIGNATURE.len()..)
        .and_then(|rest| rest.split_first_chunk())
    else {
        return Ok(None);
    };
    let payload_length = usize::from(u16::from_be_bytes([high, low]));
    let length = SIGNATURE.len() + 4 + payload_length;
    if version_and_command >> 4 != 2 {
        return Err(InvalidHeader("the version after the signature is not 2"));
    }
    if length > LONGEST_V2 {
        return Err(InvalidHeader("version 2 is longer than 4096 bytes"));
    }
    let source = match version_and_command & 0xf {
        // LOCAL: the proxy's own connection, such as a health check. The addresses are to be ignored.
        0 => None,
        1 => {
            let Some(payload) = payload.get(..payload_length) else {
                return Ok(None);
            };
            source_v2(family_and_transport >> 4, payload)?
        }
        _ => return Err(InvalidHeader("the command is neither LOCAL nor PROXY")),
    };
    Ok((bytes.len() >= length).then_some(Header { source, length }))
}

fn source_v2(family: u8, payload: &[u8]) -> Result<Option<SocketAddr>, InvalidHeader> {
    const SHORT: InvalidHeader =
        InvalidHeader("version 2 is too short for the addresses of its family");
    fn field<const N: usize>(payload: &[u8], at: usize) -> Result<[u8; N], InvalidHeader> {
        payload
            .get(at..at + N)
            .and_then(|field| field.try_into().ok())
            .ok_or(SHORT)
    }
    match family {
        // AF_INET: source, destination, source port, destination port.
        1 => {
            let _all: [u8; 12] = field(payload, 0)?;
            let address = Ipv4Addr::from(field::<4>(payload, 0)?);
            let port = u16::from_be_bytes(field(payload, 8)?);
            Ok(Some((address, port).into()))
        }
        // AF_INET6, in the same order.
        2 => {
            let _all: [u8; 36] = field(payload, 0)?;
            let address = Ipv6Addr::from(field::<16>(payload, 0)?);
            let port = u16::from_be_bytes(field(payload, 32)?);
            Ok(Some((address, port).into()))
        }
        // AF_UNSPEC, AF_UNIX, and what may come.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0x20 | command, family]);
        bytes.extend((payload.len() as u16).to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn v4_payload() -> Vec<u8> {
        let mut payload = vec![192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
        payload.extend(b"\x04\x00\x03abc");
        payload
    }

    #[test]
    fn headers() {
        let mut v6_payload = vec![0; 36];
        v6_payload[15] = 1;
        v6_payload[32..34].copy_from_slice(&4711u16.to_be_bytes());
        let cases: &[(&str, Vec<u8>, Option<&str>)] = &[
            (
                "v1 TCP4",
                b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n".to_vec(),
                Some("192.0.2.7:4711"),
            ),
            (
                "v1 TCP6",
                b"PROXY TCP6 ::1 ::2 4711 80\r\n".to_vec(),
                Some("[::1]:4711"),
            ),
            ("v1 UNKNOWN", b"PROXY UNKNOWN\r\n".to_vec(), None),
            (
                "v1 UNKNOWN with more",
                b"PROXY UNKNOWN ffff::1 x y\r\n".to_vec(),
                None,
            ),
            (
                "v2 TCP4 with extensions",
                v2(1, 0x11, &v4_payload()),
                Some("192.0.2.7:4711"),
            ),
            ("v2 TCP6", v2(1, 0x21, &v6_payload), Some("[::1]:4711")),
            ("v2 LOCAL", v2(0, 0, b""), None),
            ("v2 LOCAL with addresses", v2(0, 0x11, &v4_payload()), None),
            ("v2 AF_UNIX", v2(1, 0x31, &[0; 216]), None),
            ("v2 AF_UNSPEC", v2(1, 0, b""), None),
        ];
        for (name, bytes, source) in cases {
            let source = source.map(|source| source.parse().unwrap());
            let expected = Header {
                source,
                length: bytes.len(),
            };
            assert_eq!(parse(bytes), Ok(Some(expected)), "{name}");
            let mut longer = bytes.clone();
            longer.extend(b"GET / HTTP/1.1");
            assert_eq!(
                parse(&longer),
                Ok(Some(expected)),
                "{name} with what follows"
            );
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Ok(None), "{name} cut at {end}");
            }
        }
    }

    #[test]
    fn what_is_no_header() {
        let mut v3 = v2(1, 0x11, &v4_payload());
        v3[12] = 0x31;
        let mut endless = b"PROXY TCP6 ".to_vec();
        endless.extend([b'1'; 100]);
        let cases: &[(&str, Vec<u8>)] = &[
            ("a request", b"GET / HTTP/1.1\r\n".to_vec()),
            ("TLS", vec![22, 3, 1]),
            (
                "another protocol",
                b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n".to_vec(),
            ),
            ("the wrong family", b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec()),
            (
                "a port too large",
                b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n".to_vec(),
            ),
            (
                "a port with a sign",
                b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n".to_vec(),
            ),
            (
                "a port with a zero before",
                b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n".to_vec(),
            ),
            (
                "a field too few",
                b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n".to_vec(),
            ),
            (
                "a field too many",
                b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n".to_vec(),
            ),
            ("no text", b"PROXY TCP4 \xff\r\n".to_vec()),
            ("no end of line", endless),
            ("version 3", v3),
            ("another command", v2(2, 0x11, &v4_payload())),
            ("too short for IPv4", v2(1, 0x11, &[0; 11])),
            ("too short for IPv6", v2(1, 0x21, &[0; 35])),
            ("too long", v2(0, 0, &[0; 5000])),
        ];
        for (name, bytes) in cases {
            assert!(parse(bytes).is_err(), "{name}");
        }
    }

    proptest! {
        /// More bytes never turn a verdict over, and a header is never longer than what was given.
        #[test]
        fn a_verdict_stands(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..64),
            proptest::collection::vec(any::<u8>(), 0..64).prop_map(|tail| [&b"PROXY TCP4 "[..], &tail].concat()),
            proptest::collection::vec(any::<u8>(), 0..64).prop_map(|tail| [&SIGNATURE[..], &tail].concat()),
        ]) {
            let whole = parse(&bytes);
            if let Ok(Some(header)) = whole {
                prop_assert!(header.length <= bytes.len());
            }
            for end in 0..bytes.len() {
                let part = parse(&bytes[..end]);
                prop_assert!(part == Ok(None) || part == whole, "{part:?} at {end}, then {whole:?}");
            }
        }
    }
}
