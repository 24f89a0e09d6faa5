//! The frames of HTTP/2 (RFC 9113 §4 and §6), as far as flow control looks into them.

use super::Reason;

/// Bytes of a frame's header.
pub(crate) const HEAD: usize = 9;

/// What every connection begins with (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The payload every endpoint must take, and the most we hold back (RFC 9113 §4.2).
pub(crate) const SMALLEST_MAX_PAYLOAD: usize = 16_384;

/// Types of frames.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
    /// RFC 9218 §7.1.
    pub(crate) const PRIORITY_UPDATE: u8 = 0x10;
}

/// Flags of frames.
pub(crate) mod flag {
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// Identifiers of settings.
pub(crate) mod setting {
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;
    /// RFC 9218 §2.1.
    pub(crate) const NO_RFC7540_PRIORITIES: u16 = 9;
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl Head {
    /// Reads the header at the front of `bytes`; `None` if there are fewer than [`HEAD`].
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, w, x, y, z] = bytes.first_chunk::<HEAD>()?;
        Some(Self {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([w, x, y, z]) & 0x7fff_ffff,
        })
    }

    pub(crate) fn bytes(self) -> [u8; HEAD] {
        let [_, a, b, c] = (self.length as u32).to_be_bytes();
        let [w, x, y, z] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, w, x, y, z]
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// What RFC 7540 §5.3 says of a stream: its parent and its share among siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) parent: u32,
    /// 1 to 256.
    pub(crate) weight: u16,
    pub(crate) exclusive: bool,
}

impl Dependency {
    /// From the five bytes of a PRIORITY frame, or of a HEADERS frame with that flag.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, d, weight] = bytes.first_chunk::<5>()?;
        let word = u32::from_be_bytes([a, b, c, d]);
        Some(Self {
            parent: word & 0x7fff_ffff,
            weight: u16::from(weight) + 1,
            exclusive: word >> 31 == 1,
        })
    }
}

/// What a connection is told about the frames that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A stream was opened by the client.
    Opened {
        stream: u32,
        dependency: Option<Dependency>,
        /// Whether the request has no body.
        end: bool,
    },
    /// Whether the stream's number went with its request's headers.
    Named { stream: u32, named: bool },
    /// A frame of a request's body: its length, how much of that is padding, and whether it is the last.
    Received {
        stream: u32,
        length: u32,
        padding: u32,
        end: bool,
    },
    /// A PRIORITY frame.
    Depends { stream: u32, dependency: Dependency },
    /// A PRIORITY_UPDATE frame with its priority field value.
    Updated { stream: u32, field: &'a [u8] },
    /// A frame that is a connection error, and that hyper would overlook.
    Invalid(Reason),
    /// RST_STREAM from the client.
    ClientReset { stream: u32 },
    /// One of the client's settings.
    Setting { id: u16, value: u32 },
    /// A SETTINGS frame that is no acknowledgement.
    Settings,
    /// The client has taken in the server's settings.
    Acknowledged,
    /// A PING that is no answer, or an answer with what was asked.
    Ping { answer: Option<[u8; 8]> },
    /// Room for so many more bytes of responses, on a stream or (0) on the connection.
    Window { stream: u32, increment: u32 },

    /// So many bytes of a response's body went to the socket, and with them, or not, the end of a DATA frame.
    Sent {
        stream: u32,
        length: u32,
        whole: bool,
    },
    /// The response is over: the last frame, or RST_STREAM.
    Finished { stream: u32, reset: bool },
    /// GOAWAY with the last stream that is served.
    GoAway { last: u32 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_written() {
        let head = Head {
            length: 0x01_02_03,
            kind: kind::HEADERS,
            flags: flag::END_HEADERS,
            stream: 0x7fff_fffd,
        };
        assert_eq!(Head::parse(&head.bytes()), Some(head));
        assert_eq!(Head::parse(&head.bytes()[..8]), None);
        // The reserved bit is ignored (RFC 9113 §4.1).
        let mut reserved = head.bytes();
        reserved[5] |= 0x80;
        assert_eq!(Head::parse(&reserved), Some(head));
    }

    #[test]
    fn dependencies_are_read() {
        let bytes = [0x80, 0, 0, 5, 255];
        let expected = Dependency {
            parent: 5,
            weight: 256,
            exclusive: true,
        };
        assert_eq!(Dependency::parse(&bytes), Some(expected));
        assert_eq!(Dependency::parse(&bytes[..4]), None);
    }
}
