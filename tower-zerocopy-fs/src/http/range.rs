//! `Range` (RFC 9110 §14.1.2 and §14.2): which bytes of a representation a request asks for.
//!
//! A field that is malformed, in an unknown unit, or abusive (too many parts, more bytes than the file has, many small
//! parts out of order) is ignored, which §14.2 allows in each of these cases: the client gets the whole representation
//! and nobody can make the server do more work than that. Parts that overlap or touch are sent as one. Only a
//! well-formed set of which no part lies inside the representation is unsatisfiable.

/// A half-open interval of bytes, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    /// Offset of the first byte.
    pub(crate) start: u64,
    /// Offset after the last byte.
    pub(crate) end: u64,
}

impl ByteRange {
    /// The number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// True if no byte lies between the two.
    fn touches(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    fn union(&self, other: &Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// What to answer to a `Range` field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The whole representation with status 200.
    Whole,
    /// One part, status 206 with `Content-Range`.
    Single(ByteRange),
    /// Two or more parts in the order asked for, status 206 with `multipart/byteranges`.
    Multiple(Vec<ByteRange>),
    /// Status 416.
    Unsatisfiable,
}

/// Reads `field` for a representation of `len` bytes, allowing at most `max_parts` parts.
///
/// Linear in the field's length; allocates only for more than one part.
pub(crate) fn select(field: &[u8], len: u64, max_parts: usize) -> Selection {
    let Some(set) = strip_bytes_unit(field) else {
        return Selection::Whole;
    };
    // An empty representation has no byte to select, but clients that put a Range on everything deserve their 200.
    if len == 0 || max_parts == 0 {
        return Selection::Whole;
    }
    let mut parts = Parts::default();
    let mut seen = 0usize;
    for item in set.split(|&b| b == b',') {
        let item = item.trim_ascii();
        if item.is_empty() {
            // RFC 9110 §5.6.1: a recipient must accept empty list elements.
            continue;
        }
        seen += 1;
        if seen > max_parts {
            return Selection::Whole;
        }
        match parse_spec(item, len) {
            Spec::Invalid => return Selection::Whole,
            Spec::Outside => {}
            Spec::Part(part) => parts.add(part),
        }
    }
    match (seen, parts.first) {
        (0, _) => Selection::Whole,
        (_, None) => Selection::Unsatisfiable,
        _ if parts.is_abusive(len) => Selection::Whole,
        (_, Some(one)) if parts.others.is_empty() => Selection::Single(one),
        (_, Some(one)) => {
            parts.others.insert(0, one);
            Selection::Multiple(parts.others)
        }
    }
}

/// Small parts that are too many to come out of order: nobody who means well asks for so many.
const MANY: usize = 4;

/// Bytes that the framing of a part costs, roughly. What is shorter is small.
const FRAMING: u64 = 128;

/// The parts asked for, none of which overlaps or touches another.
#[derive(Default)]
struct Parts {
    /// Apart from the others, so that one part needs no allocation.
    first: Option<ByteRange>,
    others: Vec<ByteRange>,
    asked: usize,
    /// Bytes asked for, those asked for twice counted twice.
    bytes: u64,
    descending: bool,
    last: u64,
}

impl Parts {
    fn add(&mut self, mut part: ByteRange) {
        self.asked += 1;
        self.bytes = self.bytes.saturating_add(part.len());
        self.descending |= part.start < self.last;
        self.last = part.start;
        // A union may touch what its halves did not.
        loop {
            if let Some(at) = self.others.iter().position(|other| other.touches(&part)) {
                part = part.union(&self.others.remove(at));
            } else if let Some(first) = self.first.take_if(|first| first.touches(&part)) {
                part = part.union(&first);
            } else {
                break;
            }
        }
        match self.first {
            None => self.first = Some(part),
            Some(_) => self.others.push(part),
        }
    }

    fn is_abusive(&self, len: u64) -> bool {
        let small = self.bytes < FRAMING * self.asked as u64;
        self.bytes > len || (self.asked > MANY && small && self.descending)
    }
}

fn strip_bytes_unit(field: &[u8]) -> Option<&[u8]> {
    let equals = field.iter().position(|&b| b == b'=')?;
    // Range unit names are case-insensitive (§14.1).
    field[..equals]
        .eq_ignore_ascii_case(b"bytes")
        .then(|| &field[equals + 1..])
}

enum Spec {
    Invalid,
    Outside,
    Part(ByteRange),
}

fn parse_spec(item: &[u8], len: u64) -> Spec {
    let Some(dash) = item.iter().position(|&b| b == b'-') else {
        return Spec::Invalid;
    };
    let (first, last) = (&item[..dash], &item[dash + 1..]);
    if first.is_empty() {
        return match parse_number(last) {
            None => Spec::Invalid,
            Some(0) => Spec::Outside,
            // A suffix longer than the representation selects all of it (§14.1.2).
            Some(suffix) => Spec::Part(ByteRange {
                start: len.saturating_sub(suffix),
                end: len,
            }),
        };
    }
    let Some(start) = parse_number(first) else {
        return Spec::Invalid;
    };
    let end = if last.is_empty() {
        len
    } else {
        match parse_number(last) {
            None => return Spec::Invalid,
            Some(last) if last < start => return Spec::Invalid,
            Some(last) => last.saturating_add(1).min(len),
        }
    };
    if start >= len {
        Spec::Outside
    } else {
        Spec::Part(ByteRange { start, end })
    }
}

/// Digits only; numbers beyond `u64` count as its maximum, which is beyond every file.
fn parse_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &b| {
        b.is_ascii_digit()
            .then(|| value.saturating_mul(10).saturating_add(u64::from(b - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(start: u64, end: u64) -> ByteRange {
        ByteRange { start, end }
    }

    #[test]
    fn fields_select_the_bytes_rfc_9110_says() {
        use Selection::{Multiple, Single, Unsatisfiable, Whole};
        let cases: &[(&str, u64, Selection)] = &[
            // Plain forms.
            ("bytes=0-4", 10, Single(r(0, 5))),
            ("bytes=2-", 10, Single(r(2, 10))),
            ("bytes=-5", 10, Single(r(5, 10))),
            ("bytes=3-7", 10, Single(r(3, 8))),
            ("bytes=0-0", 10, Single(r(0, 1))),
            ("bytes=9-9", 10, Single(r(9, 10))),
            ("bytes=0-", 10, Single(r(0, 10))),
            ("BYTES=0-1", 10, Single(r(0, 2))),
            // Clamped to the representation.
            ("bytes=5-1000", 10, Single(r(5, 10))),
            ("bytes=-11", 10, Single(r(0, 10))),
            ("bytes=-99999999999999999999999", 10, Single(r(0, 10))),
            ("bytes=1-99999999999999999999999", 10, Single(r(1, 10))),
            // Outside of it.
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=10-20", 10, Unsatisfiable),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=99999999999999999999999-", 10, Unsatisfiable),
            ("bytes=20-,30-40", 10, Unsatisfiable),
            // Empty files.
            ("bytes=0-", 0, Whole),
            ("bytes=-1", 0, Whole),
            ("bytes=5-6", 0, Whole),
            // Malformed or unknown: ignored.
            ("", 10, Whole),
            ("bytes", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=,", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=5", 10, Whole),
            ("bytes=5-4", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1-+2", 10, Whole),
            ("bytes=1 - 2", 10, Whole),
            ("bytes=1-2-3", 10, Whole),
            ("bytes=--1", 10, Whole),
            ("bytes=0-1;2-3", 10, Whole),
            ("bytes =0-1", 10, Whole),
            ("lines=0-1", 10, Whole),
            ("0-1", 10, Whole),
            ("bytes=0-1,x", 10, Whole),
            // Several parts.
            ("bytes=0-0,-2", 10, Multiple(vec![r(0, 1), r(8, 10)])),
            ("bytes=0-1,5-8", 10, Multiple(vec![r(0, 2), r(5, 9)])),
            ("bytes=5-8 , 0-1", 10, Multiple(vec![r(5, 9), r(0, 2)])),
            ("bytes=,0-1,,3-3,", 10, Multiple(vec![r(0, 2), r(3, 4)])),
            ("bytes=0-1,20-", 10, Single(r(0, 2))),
            ("bytes=0-1,-0", 10, Single(r(0, 2))),
            // Parts that overlap or touch are one, at the place of the last of them, or in front with the first.
            ("bytes=0-4,5-9", 10, Single(r(0, 10))),
            ("bytes=-3,-3", 10, Single(r(7, 10))),
            ("bytes=4-5,0-0,6-7", 10, Multiple(vec![r(4, 8), r(0, 1)])),
            (
                "bytes=0-0,4-5,8-8,3-4",
                10,
                Multiple(vec![r(0, 1), r(8, 9), r(3, 6)]),
            ),
            ("bytes=0-1,4-5,2-3", 10, Single(r(0, 6))),
            // Abuse: more bytes than there are, and too many parts.
            ("bytes=0-,0-,0-", 10, Whole),
            ("bytes=0-5,5-9", 10, Whole),
            ("bytes=0-0,1-1,2-2,3-3,4-4", 10, Whole),
        ];
        for (field, len, expected) in cases {
            assert_eq!(
                &select(field.as_bytes(), *len, 4),
                expected,
                "{field:?} of {len} bytes"
            );
        }
    }

    #[test]
    fn many_small_parts_must_come_in_order() {
        let ascending = "bytes=0-1,10-11,20-21,30-31,40-41";
        assert!(
            matches!(select(ascending.as_bytes(), 1000, 9), Selection::Multiple(p) if p.len() == 5)
        );
        let descending = b"bytes=0-1,10-11,40-41,30-31,20-21";
        assert_eq!(select(descending, 1000, 9), Selection::Whole);
        let large = b"bytes=0-999,9000-9999,3000-3999,2000-2999,5000-5999";
        assert!(matches!(select(large, 10_000, 9), Selection::Multiple(_)));
    }

    /// Every well-formed pair of specs against a set of positions computed byte by byte.
    #[test]
    fn two_specs_agree_with_a_naive_model() {
        let bounds = [None, Some(0u64), Some(1), Some(3), Some(4), Some(9)];
        let len = 5u64;
        for first in bounds {
            for last in bounds {
                let text = |v: Option<u64>| v.map(|v| v.to_string()).unwrap_or_default();
                let field = format!("bytes={}-{}", text(first), text(last));
                let wanted: Option<Vec<u64>> = match (first, last) {
                    (None, None) => None,
                    (Some(a), Some(b)) if b < a => None,
                    (Some(a), b) => Some(
                        (0..len)
                            .filter(|&p| p >= a && b.is_none_or(|b| p <= b))
                            .collect(),
                    ),
                    (None, Some(n)) => Some((0..len).filter(|&p| p + n >= len).collect()),
                };
                let expected = match wanted {
                    None => Selection::Whole,
                    Some(positions) if positions.is_empty() => Selection::Unsatisfiable,
                    Some(positions) => {
                        Selection::Single(r(positions[0], positions[positions.len() - 1] + 1))
                    }
                };
                assert_eq!(select(field.as_bytes(), len, 8), expected, "{field}");
            }
        }
    }
}
