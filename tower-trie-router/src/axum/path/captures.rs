//! The decoded parameters of one request, on the stack.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::rejection::InvalidUtf8InPathParam;

/// How many parameters need no heap. Routes with more are rare; they cost one
/// allocation each time they are extracted.
const INLINE: usize = 8;

/// A parameter: its name and its value.
pub(super) type Capture<'a> = (&'a str, &'a str);

/// All parameters of a request, from left to right, outer routers' first.
///
/// First [`push`](Self::push)ed as they are, then [`decode`](Self::decode)d:
/// the text of the values that hold an escape goes into one buffer of the
/// caller's, every other value stays where it is in the request's path.
pub(super) struct Captures<'a> {
    inline: [Capture<'a>; INLINE],
    /// All of them, once there are too many for `inline`.
    spilled: Vec<Capture<'a>>,
    len: usize,
}

impl<'a> Captures<'a> {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            inline: [("", ""); INLINE],
            spilled: Vec::new(),
            len: 0,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, capture: Capture<'a>) {
        match self.inline.get_mut(self.len) {
            Some(slot) => *slot = capture,
            None => self.spill(capture),
        }
        self.len += 1;
    }

    #[cold]
    fn spill(&mut self, capture: Capture<'a>) {
        if self.spilled.is_empty() {
            self.spilled.reserve(2 * INLINE);
            self.spilled.extend(self.inline);
        }
        self.spilled.push(capture);
    }

    pub(super) fn as_slice(&self) -> &[Capture<'a>] {
        if self.spilled.is_empty() {
            &self.inline[..self.len]
        } else {
            &self.spilled
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Capture<'a>] {
        if self.spilled.is_empty() {
            &mut self.inline[..self.len]
        } else {
            &mut self.spilled
        }
    }

    /// Decodes the values from number `first` on; `buffer` is empty and gets
    /// the text of those that hold an escape.
    #[inline]
    pub(super) fn decode(
        &mut self,
        first: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<(), InvalidUtf8InPathParam> {
        let raw = &mut self.as_mut_slice()[first..];
        if raw.iter().any(|(_, value)| has_escape(value)) {
            decode_all(raw, buffer)?;
        }
        Ok(())
    }
}

/// Decodes in two rounds, since the buffer has to stand still before anything
/// can be borrowed from it: one fills it, the other cuts it up by the same
/// lengths.
#[cold]
fn decode_all<'a>(
    captures: &mut [Capture<'a>],
    buffer: &'a mut Vec<u8>,
) -> Result<(), InvalidUtf8InPathParam> {
    let escaped = |value: &str| has_escape(value);
    let lengths = captures.iter().map(|(_, value)| value.len());
    buffer.reserve_exact(lengths.sum());
    for (_, value) in captures.iter().filter(|(_, value)| escaped(value)) {
        buffer.extend(percent_decode_str(value));
    }
    let mut rest: &'a [u8] = buffer;
    for (name, value) in captures.iter_mut().filter(|(_, value)| escaped(value)) {
        let length = percent_decode_str(value).count();
        let (decoded, more) = rest.split_at(length);
        *value = std::str::from_utf8(decoded).map_err(|_| invalid(name))?;
        rest = more;
    }
    Ok(())
}

/// Decodes the percent-escapes of one value. Borrows when there is none.
pub(crate) fn decode<'a>(
    name: &str,
    value: &'a str,
) -> Result<Cow<'a, str>, InvalidUtf8InPathParam> {
    if !has_escape(value) {
        return Ok(Cow::Borrowed(value));
    }
    let decoded = percent_decode_str(value).decode_utf8();
    decoded.map_err(|_| invalid(name))
}

#[inline]
fn has_escape(value: &str) -> bool {
    value.as_bytes().contains(&b'%')
}

#[cold]
fn invalid(name: &str) -> InvalidUtf8InPathParam {
    InvalidUtf8InPathParam {
        key: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `raw` after decoding from number `first` on.
    fn decoded(raw: &[(&str, &str)], first: usize) -> Result<Vec<String>, String> {
        let mut buffer = Vec::new();
        let mut captures = Captures::new();
        raw.iter().for_each(|capture| captures.push(*capture));
        captures
            .decode(first, &mut buffer)
            .map_err(|error| error.key)?;
        let values = captures.as_slice().iter();
        Ok(values.map(|(_, value)| (*value).to_owned()).collect())
    }

    #[test]
    fn decodes_each_value_by_itself() {
        let raw = [
            ("a", "plain"),
            ("b", "one%20two"),
            ("c", "100%"),
            ("d", "%2F%C3%A9"),
            ("e", ""),
        ];
        let expected = ["plain", "one two", "100%", "/é", ""];
        assert_eq!(decoded(&raw, 0).unwrap(), expected);
    }

    #[test]
    fn leaves_alone_what_is_decoded_already() {
        let raw = [("outer", "%20"), ("own", "%20")];
        assert_eq!(decoded(&raw, 1).unwrap(), ["%20", " "]);
    }

    #[test]
    fn names_the_value_that_is_not_utf8() {
        let raw = [("ok", "%C3%A9"), ("bad", "%C3%28")];
        assert_eq!(decoded(&raw, 0).unwrap_err(), "bad");
        // Two halves of a character in two values are no character.
        let halves = [("high", "%C3"), ("low", "%A9")];
        assert_eq!(decoded(&halves, 0).unwrap_err(), "high");
    }

    #[test]
    fn keeps_the_order_beyond_the_inline_slots() {
        let names: Vec<String> = (0..3 * INLINE).map(|n| format!("p{n}")).collect();
        let mut captures = Captures::new();
        for (added, name) in names.iter().enumerate() {
            captures.push((name, "%31"));
            let expected: Vec<_> = names[..=added].iter().map(String::as_str).collect();
            let got: Vec<_> = captures.as_slice().iter().map(|(name, _)| *name).collect();
            assert_eq!(got, expected);
        }
        let mut buffer = Vec::new();
        captures.decode(0, &mut buffer).unwrap();
        assert!(captures.as_slice().iter().all(|(_, value)| *value == "1"));
    }
}
