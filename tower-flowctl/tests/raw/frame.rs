//! Frames as they are on the wire (RFC 9113 §4.1 and §6, RFC 9218 §7.1).

use std::fmt;

use super::Block;

/// Frame types.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0x0;
    pub(crate) const HEADERS: u8 = 0x1;
    pub(crate) const PRIORITY: u8 = 0x2;
    pub(crate) const RST_STREAM: u8 = 0x3;
    pub(crate) const SETTINGS: u8 = 0x4;
    pub(crate) const PUSH_PROMISE: u8 = 0x5;
    pub(crate) const PING: u8 = 0x6;
    pub(crate) const GOAWAY: u8 = 0x7;
    pub(crate) const WINDOW_UPDATE: u8 = 0x8;
    pub(crate) const CONTINUATION: u8 = 0x9;
    pub(crate) const PRIORITY_UPDATE: u8 = 0x10;
}

/// Frame flags.
pub(crate) mod flag {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// Error codes (RFC 9113 §7).
pub(crate) mod code {
    pub(crate) const NO_ERROR: u32 = 0x0;
    pub(crate) const PROTOCOL_ERROR: u32 = 0x1;
    pub(crate) const INTERNAL_ERROR: u32 = 0x2;
    pub(crate) const FLOW_CONTROL_ERROR: u32 = 0x3;
    pub(crate) const STREAM_CLOSED: u32 = 0x5;
    pub(crate) const FRAME_SIZE_ERROR: u32 = 0x6;
    pub(crate) const REFUSED_STREAM: u32 = 0x7;
    pub(crate) const CANCEL: u32 = 0x8;
    pub(crate) const COMPRESSION_ERROR: u32 = 0x9;
    pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;
}

/// Settings (RFC 9113 §6.5.2, RFC 9218 §2.1).
pub(crate) mod setting {
    pub(crate) const HEADER_TABLE_SIZE: u16 = 0x1;
    pub(crate) const ENABLE_PUSH: u16 = 0x2;
    pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    pub(crate) const INITIAL_WINDOW_SIZE: u16 = 0x4;
    pub(crate) const MAX_FRAME_SIZE: u16 = 0x5;
    pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
    pub(crate) const NO_RFC7540_PRIORITIES: u16 = 0x9;
}

/// A frame, well-formed or not.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            flags: 0,
            stream,
            payload: payload.into(),
        }
    }

    pub(crate) fn data(stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self::new(kind::DATA, stream, payload)
    }

    /// HEADERS with END_HEADERS.
    pub(crate) fn headers(stream: u32, block: impl Into<Block>) -> Self {
        Self::new(kind::HEADERS, stream, block.into().0).flag(flag::END_HEADERS)
    }

    /// CONTINUATION without END_HEADERS.
    pub(crate) fn continuation(stream: u32, block: impl Into<Block>) -> Self {
        Self::new(kind::CONTINUATION, stream, block.into().0)
    }

    /// `weight` is from 1 to 256.
    pub(crate) fn priority(stream: u32, parent: u32, exclusive: bool, weight: u16) -> Self {
        Self::new(
            kind::PRIORITY,
            stream,
            dependency(parent, exclusive, weight),
        )
    }

    pub(crate) fn reset(stream: u32, code: u32) -> Self {
        Self::new(kind::RST_STREAM, stream, code.to_be_bytes())
    }

    pub(crate) fn settings(settings: &[(u16, u32)]) -> Self {
        let mut payload = Vec::new();
        for (id, value) in settings {
            payload.extend(id.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        Self::new(kind::SETTINGS, 0, payload)
    }

    pub(crate) fn settings_ack() -> Self {
        Self::settings(&[]).flag(flag::ACK)
    }

    pub(crate) fn ping(payload: [u8; 8]) -> Self {
        Self::new(kind::PING, 0, payload)
    }

    pub(crate) fn go_away(last_stream: u32, code: u32) -> Self {
        let mut payload = last_stream.to_be_bytes().to_vec();
        payload.extend(code.to_be_bytes());
        Self::new(kind::GOAWAY, 0, payload)
    }

    pub(crate) fn window_update(stream: u32, increment: u32) -> Self {
        Self::new(kind::WINDOW_UPDATE, stream, increment.to_be_bytes())
    }

    pub(crate) fn priority_update(stream: u32, value: &str) -> Self {
        let mut payload = stream.to_be_bytes().to_vec();
        payload.extend(value.as_bytes());
        Self::new(kind::PRIORITY_UPDATE, 0, payload)
    }

    pub(crate) fn flag(mut self, flag: u8) -> Self {
        self.flags |= flag;
        self
    }

    pub(crate) fn end_stream(self) -> Self {
        self.flag(flag::END_STREAM)
    }

    pub(crate) fn end_headers(self) -> Self {
        self.flag(flag::END_HEADERS)
    }

    /// More of the header block follows in CONTINUATION frames.
    pub(crate) fn unfinished(mut self) -> Self {
        self.flags &= !flag::END_HEADERS;
        self
    }

    /// Pads DATA or HEADERS. To be called after [`prioritized`](Self::prioritized), whose fields come later in the frame.
    pub(crate) fn padded(mut self, length: u8) -> Self {
        self.payload.insert(0, length);
        self.payload.extend(std::iter::repeat_n(0, length.into()));
        self.flag(flag::PADDED)
    }

    /// Gives HEADERS the priority fields of RFC 7540.
    pub(crate) fn prioritized(mut self, parent: u32, exclusive: bool, weight: u16) -> Self {
        self.payload
            .splice(0..0, dependency(parent, exclusive, weight));
        self.flag(flag::PRIORITY)
    }

    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        let length = u32::try_from(self.payload.len()).unwrap();
        into.extend(&length.to_be_bytes()[1..]);
        into.extend([self.kind, self.flags]);
        into.extend(self.stream.to_be_bytes());
        into.extend(&self.payload);
    }

    /// Takes the first frame off the buffer, if it is complete.
    pub(crate) fn decode(buffer: &mut bytes::BytesMut) -> Option<Self> {
        let head = buffer.get(..9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if buffer.len() < 9 + length {
            return None;
        }
        let frame = buffer.split_to(9 + length);
        Some(Self {
            kind: frame[3],
            flags: frame[4],
            stream: word(&frame, 5) & 0x7fff_ffff,
            payload: frame[9..].to_vec(),
        })
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether it is the last of its stream.
    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.has(flag::END_STREAM)
    }

    /// The error code of RST_STREAM or GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        match self.kind {
            kind::RST_STREAM => word(&self.payload, 0),
            kind::GOAWAY => word(&self.payload, 4),
            _ => panic!("{self:?} has no error code"),
        }
    }

    /// The increment of WINDOW_UPDATE.
    pub(crate) fn increment(&self) -> u32 {
        assert_eq!(self.kind, kind::WINDOW_UPDATE);
        word(&self.payload, 0) & 0x7fff_ffff
    }

    /// The debug data of GOAWAY.
    pub(crate) fn debug_data(&self) -> String {
        assert_eq!(self.kind, kind::GOAWAY);
        String::from_utf8_lossy(&self.payload[8..]).into_owned()
    }

    /// The value that SETTINGS gives to a setting, if it does.
    pub(crate) fn setting(&self, id: u16) -> Option<u32> {
        assert_eq!(self.kind, kind::SETTINGS);
        let mut entries = self.payload.chunks_exact(6);
        entries
            .find(|entry| entry[..2] == id.to_be_bytes())
            .map(|entry| word(entry, 2))
    }

    /// The value of `:status` of a response's HEADERS, if it has one.
    pub(crate) fn status(&self) -> Option<u16> {
        (self.kind == kind::HEADERS)
            .then(|| super::block::status(&self.payload))
            .flatten()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 10] = [
            "DATA",
            "HEADERS",
            "PRIORITY",
            "RST_STREAM",
            "SETTINGS",
            "PUSH_PROMISE",
            "PING",
            "GOAWAY",
            "WINDOW_UPDATE",
            "CONTINUATION",
        ];
        match NAMES.get(usize::from(self.kind)) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "{:#x}", self.kind)?,
        }
        write!(f, " on {}, flags {:#x}", self.stream, self.flags)?;
        match self.kind {
            kind::RST_STREAM => write!(f, ", code {:#x}", self.code()),
            kind::GOAWAY => write!(f, ", code {:#x} {}", self.code(), self.debug_data()),
            kind::HEADERS => write!(f, ", status {:?}", self.status()),
            _ => write!(f, ", {} bytes", self.payload.len()),
        }
    }
}

fn dependency(parent: u32, exclusive: bool, weight: u16) -> [u8; 5] {
    let [a, b, c, d] = (parent | u32::from(exclusive) << 31).to_be_bytes();
    let weight = u8::try_from(weight - 1).expect("a weight is from 1 to 256");
    [a, b, c, d, weight]
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}
