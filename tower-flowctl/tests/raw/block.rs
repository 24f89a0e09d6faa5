//! Header blocks (RFC 7541), written by hand.

/// A header block. What it is made of is never indexed, unless asked for, so that blocks do not depend on each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block(pub(crate) Vec<u8>);

impl Block {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A request over `http` with the four pseudo-header fields.
    pub(crate) fn request(method: &str, path: &str) -> Self {
        Self::new()
            .field(":method", method)
            .field(":scheme", "http")
            .field(":path", path)
            .field(":authority", "localhost")
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::request("GET", path)
    }

    pub(crate) fn post(path: &str) -> Self {
        Self::request("POST", path)
    }

    /// A literal without indexing and with a new name (RFC 7541 §6.2.2).
    pub(crate) fn field(self, name: &str, value: &str) -> Self {
        self.literal(0x00, name, value)
    }

    /// A literal that enters the dynamic table (RFC 7541 §6.2.1).
    pub(crate) fn indexed_field(self, name: &str, value: &str) -> Self {
        self.literal(0x40, name, value)
    }

    /// Bytes as they are.
    pub(crate) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend(bytes.as_ref());
        self
    }

    /// Cuts the block in two, for a CONTINUATION.
    pub(crate) fn split_at(&self, at: usize) -> (Self, Self) {
        let (first, second) = self.0.split_at(at);
        (Self(first.to_vec()), Self(second.to_vec()))
    }

    fn literal(mut self, kind: u8, name: &str, value: &str) -> Self {
        self.0.push(kind);
        for string in [name, value] {
            self.integer(0x00, 7, string.len());
            self.0.extend(string.as_bytes());
        }
        self
    }

    /// RFC 7541 §5.1.
    fn integer(&mut self, first: u8, prefix: u32, value: usize) {
        let most = (1 << prefix) - 1;
        if value < most {
            self.0.push(first | u8::try_from(value).unwrap());
            return;
        }
        self.0.push(first | u8::try_from(most).unwrap());
        let mut rest = value - most;
        while rest >= 0x80 {
            self.0.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }
}

impl<B: AsRef<[u8]>> From<B> for Block {
    fn from(bytes: B) -> Self {
        Self(bytes.as_ref().to_vec())
    }
}

/// The value of `:status`, which is first in every response, unless it refers to the dynamic table.
pub(super) fn status(block: &[u8]) -> Option<u16> {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let mut block = block;
    // Updates of the table's size come first of all; ours fit in one byte.
    while let [0x20..=0x3e, rest @ ..] = block {
        block = rest;
    }
    match block {
        [index @ 0x88..=0x8e, ..] => Some(STATIC[usize::from(index - 0x88)]),
        // A literal of any kind whose name is the eighth of the static table.
        [0x48 | 0x08 | 0x18, length, value @ ..] => {
            let value = value.get(..usize::from(length & 0x7f))?;
            if length & 0x80 == 0 {
                std::str::from_utf8(value).ok()?.parse().ok()
            } else {
                digits(value)
            }
        }
        _ => None,
    }
}

/// A number in the code of RFC 7541, appendix B: 0, 1 and 2 have five bits, the other digits six.
fn digits(bytes: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let read = |bits: &[u8]| {
        bits.iter()
            .fold(0u16, |value, bit| value << 1 | u16::from(*bit))
    };
    let mut number = 0;
    let mut rest = bits.as_slice();
    while let Some(short) = rest.get(..5) {
        let (digit, length) = match (read(short), rest.get(..6).map(read)) {
            (digit @ 0..=2, _) => (digit, 5),
            (_, Some(digit @ 0x19..=0x1f)) => (digit - 0x16, 6),
            _ => break,
        };
        number = number * 10 + digit;
        rest = &rest[length..];
    }
    rest.iter().all(|bit| *bit == 1).then_some(number)
}
