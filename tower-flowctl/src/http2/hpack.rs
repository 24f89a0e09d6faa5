//! The structure of a header block (RFC 7541 §6), without its contents.
//!
//! To append a field to a block one has to know that the block is whole: behind a literal cut short, the appended bytes
//! would become its value. Following integers and lengths is enough for that; nothing is decoded, and the dynamic
//! table is of no concern.

/// Where a block stands after the bytes seen so far, over any number of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between two fields.
    #[default]
    Field,
    /// Within the integer of a field that ends with it.
    Index,
    /// Within the integer that names a literal's name.
    NameIndex,
    /// Before the length of a string; how many more strings come after it.
    String { more: u8 },
    /// Within the length of a string.
    Length { value: u32, shift: u32, more: u8 },
    /// Within a string.
    Skip { left: u32, more: u8 },
    /// A length that no frame can hold.
    Broken,
}

impl Walk {
    /// Goes on over the next bytes of the block.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while let [byte, rest @ ..] = bytes {
            if let State::Field = self.state {
                // In most requests most fields are an index of one byte.
                let short = match byte {
                    0x80..=0xfe => Some(rest),
                    _ => short_field(bytes),
                };
                if let Some(rest) = short {
                    bytes = rest;
                    continue;
                }
            }
            let byte = *byte;
            self.state = match self.state {
                State::Field => field(byte),
                State::Index if byte & 0x80 == 0 => State::Field,
                State::Index => State::Index,
                State::NameIndex if byte & 0x80 == 0 => State::String { more: 0 },
                State::NameIndex => State::NameIndex,
                State::String { more } => match byte & 0x7f {
                    0x7f => State::Length {
                        value: 0x7f,
                        shift: 0,
                        more,
                    },
                    length => string(u32::from(length), more),
                },
                State::Length { value, shift, more } => length(byte, value, shift, more),
                State::Skip { left, more } => {
                    let here = bytes.len().min(left as usize);
                    bytes = &bytes[here..];
                    self.state = string(left - here as u32, more);
                    continue;
                }
                State::Broken => return,
            };
            bytes = rest;
        }
    }

    /// Whether a field may follow here.
    pub(crate) fn is_between_fields(self) -> bool {
        self.state == State::Field
    }
}

/// What is behind a field that is whole and has no integer of more than a byte, as nearly all are.
fn short_field(bytes: &[u8]) -> Option<&[u8]> {
    let (&byte, mut rest) = bytes.split_first()?;
    let strings = match field(byte) {
        State::Field => return Some(rest),
        State::String { more } => 1 + more,
        _ => return None,
    };
    for _ in 0..strings {
        let (&length, string) = rest.split_first()?;
        let length = length & 0x7f;
        if length == 0x7f {
            return None;
        }
        rest = string.get(usize::from(length)..)?;
    }
    Some(rest)
}

fn field(byte: u8) -> State {
    let (prefix, literal) = match byte {
        0x80.. => (0x7f, false),
        0x40..0x80 => (0x3f, true),
        0x20..0x40 => (0x1f, false),
        0x00..0x20 => (0x0f, true),
    };
    match (byte & prefix, literal) {
        (index, false) if index == prefix => State::Index,
        (_, false) => State::Field,
        (index, true) if index == prefix => State::NameIndex,
        (0, true) => State::String { more: 1 },
        (_, true) => State::String { more: 0 },
    }
}

/// Before a string's bytes, or behind it if there are none.
fn string(left: u32, more: u8) -> State {
    match (left, more) {
        (0, 0) => State::Field,
        (0, more) => State::String { more: more - 1 },
        (left, more) => State::Skip { left, more },
    }
}

fn length(byte: u8, value: u32, shift: u32, more: u8) -> State {
    // Four bytes reach 2^28, beyond the largest frame; more of them are padding or nonsense.
    if shift > 21 {
        return State::Broken;
    }
    let value = value + (u32::from(byte & 0x7f) << shift);
    if byte & 0x80 == 0 {
        string(value, more)
    } else {
        State::Length {
            value,
            shift: shift + 7,
            more,
        }
    }
}

/// The name our field goes by: number 56 of the static table, `strict-transport-security`. It means nothing in a
/// request, and with a name out of the table neither side allocates for it.
pub(crate) const NAME: http::HeaderName = http::header::STRICT_TRANSPORT_SECURITY;

/// Appends a field that no table remembers (RFC 7541 §6.2.3), of the name above and a value shorter than 127 bytes.
#[inline]
pub(crate) fn append_field(block: &mut Vec<u8>, value: &[u8]) {
    debug_assert!(value.len() < 127);
    block.extend_from_slice(&[0x1f, 56 - 15, value.len() as u8]);
    block.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> bool {
        let mut at_once = Walk::default();
        at_once.feed(bytes);
        let mut one_by_one = Walk::default();
        for byte in bytes {
            one_by_one.feed(std::slice::from_ref(byte));
        }
        assert_eq!(at_once, one_by_one, "{bytes:02x?}");
        at_once.is_between_fields()
    }

    #[test]
    fn blocks_are_whole_where_a_field_ends() {
        let long = |n: usize| vec![b'a'; n];
        let cases: &[(&str, Vec<u8>, bool)] = &[
            ("nothing", vec![], true),
            ("indexed", vec![0x82, 0x86, 0x84], true),
            ("indexed far away", vec![0xff, 0x80, 0x01], true),
            ("indexed far away, cut", vec![0xff, 0x80], false),
            ("table size", vec![0x3f, 0xe1, 0x1f], true),
            ("table size, short", vec![0x20], true),
            ("table size, cut", vec![0x3f, 0xe1], false),
            ("literal, indexed name", vec![0x41, 0x02, b'a', b'b'], true),
            ("literal, cut value", vec![0x41, 0x02, b'a'], false),
            ("literal, cut before value", vec![0x41], false),
            (
                "literal, name index of two bytes",
                vec![0x0f, 0x01, 0x01, b'a'],
                true,
            ),
            ("literal, new name", vec![0x40, 1, b'a', 1, b'b'], true),
            ("literal, new name, cut", vec![0x40, 1, b'a'], false),
            ("literal, empty strings", vec![0x00, 0, 0], true),
            ("never indexed", vec![0x10, 0x81, 0xff, 0x81, 0xff], true),
            (
                "long value",
                [&[0x41, 0x7f, 0x49][..], &long(200)].concat(),
                true,
            ),
            (
                "long value, cut",
                [&[0x41, 0x7f, 0x49][..], &long(199)].concat(),
                false,
            ),
            (
                "a length beyond all frames",
                vec![0x41, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x7f],
                false,
            ),
        ];
        for (name, block, expected) in cases {
            assert_eq!(whole(block), *expected, "{name}");
        }
    }

    #[test]
    fn the_appended_field_is_one() {
        let mut block = vec![0x82];
        append_field(&mut block, b"0123456789");
        assert!(whole(&block));
    }
}
