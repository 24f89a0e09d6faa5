//! As much of HPACK (RFC 7541) as a load generator needs: all of a request's block is written, of an answer's only
//! the status is read.
//!
//! Written fields enter the dynamic table until it is full, so that repeated requests are a few bytes, as any client's
//! are; nothing is ever evicted. The other end is told that its table has no room, so that every status it sends
//! is of the static table or written out.

/// The overhead of a table entry (RFC 7541 §4.1).
const ENTRY: usize = 32;
/// The static table's size.
const STATIC: usize = 61;

/// Writes header blocks for one connection.
#[derive(Debug)]
pub(super) struct Encoder {
    /// What the other end's table holds, oldest first.
    table: Vec<(String, String)>,
    room: usize,
    /// The other end's limit has shrunk and must be acknowledged in the next block.
    shrunk: Option<usize>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            table: Vec::new(),
            // Until its settings say otherwise (RFC 9113 §6.5.2).
            room: 4_096,
            shrunk: None,
        }
    }

    /// Learns the other end's limit. A smaller one empties the table; a larger one is not made use of.
    pub(super) fn limit(&mut self, size: usize) {
        if size < 4_096 {
            self.table.clear();
            self.room = 0;
            self.shrunk = Some(0);
        }
    }

    /// Begins a block.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(size) = self.shrunk.take() {
            integer(size, 5, 0x20, out);
        }
    }

    /// Writes a field of the static table by its index.
    pub(super) fn indexed(index: usize, out: &mut Vec<u8>) {
        integer(index, 7, 0x80, out);
    }

    /// Writes a field, whose name may be in the static table at `name_index`.
    pub(super) fn field(&mut self, name: &str, name_index: usize, value: &str, out: &mut Vec<u8>) {
        let found = self.table.iter().position(|(n, v)| n == name && v == value);
        if let Some(at) = found {
            integer(STATIC + self.table.len() - at, 7, 0x80, out);
            return;
        }
        let size = name.len() + value.len() + ENTRY;
        if size <= self.room {
            self.room -= size;
            self.table.push((name.to_owned(), value.to_owned()));
            integer(name_index, 6, 0x40, out);
        } else {
            integer(name_index, 4, 0x00, out);
        }
        if name_index == 0 {
            text(name, out);
        }
        text(value, out);
    }
}

/// A string without Huffman coding.
fn text(text: &str, out: &mut Vec<u8>) {
    integer(text.len(), 7, 0x00, out);
    out.extend_from_slice(text.as_bytes());
}

/// An integer with a prefix of `bits` bits beside `flags` (RFC 7541 §5.1).
fn integer(value: usize, bits: u32, flags: u8, out: &mut Vec<u8>) {
    let most = (1_usize << bits) - 1;
    if value < most {
        out.push(flags | value as u8);
        return;
    }
    out.push(flags | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    out.push(rest as u8);
}

/// The status of an answer's block, which must come first (RFC 9113 §8.3).
pub(super) fn status(block: &[u8]) -> Option<u16> {
    let mut rest = block;
    // Updates of the table's size.
    while rest.first()? & 0xE0 == 0x20 {
        let prefix = rest[0] & 0x1F;
        rest = &rest[1..];
        if prefix == 0x1F {
            let last = rest.iter().position(|byte| byte & 0x80 == 0)?;
            rest = &rest[last + 1..];
        }
    }
    let first = *rest.first()?;
    if first & 0x80 != 0 {
        let of = [200, 204, 206, 304, 400, 404, 500];
        return of.get(usize::from(first & 0x7F).checked_sub(8)?).copied();
    }
    // A literal whose name is one of the static `:status` entries, with or without indexing.
    let index = if first & 0x40 != 0 {
        first & 0x3F
    } else {
        first & 0x0F
    };
    if !(8..=14).contains(&index) {
        return None;
    }
    let length = *rest.get(1)?;
    let value = rest.get(2..2 + usize::from(length & 0x7F))?;
    if length & 0x80 != 0 {
        return digits(value);
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Three digits in Huffman coding (RFC 7541, appendix B): 0, 1 and 2 have five bits, the others six.
fn digits(coded: &[u8]) -> Option<u16> {
    let bit = |at: usize| Some(u16::from(coded.get(at / 8)? >> (7 - at % 8) & 1));
    let take =
        |at: usize, count: usize| (at..at + count).try_fold(0, |n, at| Some(n << 1 | bit(at)?));
    let (mut at, mut value) = (0, 0);
    for _ in 0..3 {
        let short = take(at, 5)?;
        let digit = if short <= 2 {
            at += 5;
            short
        } else {
            let long = take(at, 6)?;
            at += 6;
            long.checked_sub(0b01_1001)? + 3
        };
        if digit > 9 {
            return None;
        }
        value = value * 10 + digit;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_as_in_the_rfcs_examples() {
        let cases: [(usize, u32, &[u8]); 3] = [
            (10, 5, &[0b01010]),
            (1337, 5, &[31, 154, 10]),
            (42, 8, &[42]),
        ];
        for (value, bits, want) in cases {
            let mut out = Vec::new();
            integer(value, bits, 0, &mut out);
            assert_eq!(out, want, "{value}");
        }
    }

    #[test]
    fn a_repeated_field_is_its_index() {
        let (mut encoder, mut out) = (Encoder::new(), Vec::new());
        encoder.field(":path", 4, "/a", &mut out);
        assert_eq!(out, b"\x44\x02/a");
        encoder.field("x", 0, "y", &mut out);
        out.clear();
        encoder.field(":path", 4, "/a", &mut out);
        encoder.field("x", 0, "y", &mut out);
        assert_eq!(out, [0x80 | 63, 0x80 | 62]);
    }

    #[test]
    fn without_room_fields_are_written_out() {
        let (mut encoder, mut out) = (Encoder::new(), Vec::new());
        encoder.limit(0);
        encoder.begin(&mut out);
        encoder.field(":path", 4, "/a", &mut out);
        assert_eq!(out, b"\x20\x04\x02/a");
    }

    #[test]
    fn statuses_are_read() {
        let cases: &[(&[u8], Option<u16>)] = &[
            (&[0x88], Some(200)),
            (&[0x20, 0x8D, 0x0F], Some(404)),
            (&[0x3F, 0xE1, 0x1F, 0x88], Some(200)),
            // RFC 7541 C.5.1 and C.6.1: 302 as text and in Huffman coding; C.6.2: 307.
            (b"\x48\x03302", Some(302)),
            (&[0x48, 0x82, 0x64, 0x02], Some(302)),
            (&[0x48, 0x83, 0x64, 0x0E, 0xFF], Some(307)),
            (b"\x08\x03503", Some(503)),
            (&[0x82], None),
            (&[0x00], None),
            (&[], None),
        ];
        for (block, want) in cases {
            assert_eq!(status(block), *want, "{block:x?}");
        }
    }
}
