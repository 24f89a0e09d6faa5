//! The decoded parameters of one request, on the stack.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::rejection::InvalidUtf8InPathParam;

/// How many parameters need no heap. Routes with more are rare; they cost one
/// allocation each time they are extracted.
const INLINE: usize = 8;

/// A parameter: its name, and its value after percent-decoding. The value is
/// borrowed from the request's path unless it contains an escape.
pub(crate) type Capture<'a> = (&'a str, Cow<'a, str>);

/// All parameters of a request, from left to right, outer routers' first.
pub(crate) struct Captures<'a> {
    inline: [Capture<'a>; INLINE],
    spilled: Vec<Capture<'a>>,
    len: usize,
}

impl<'a> Captures<'a> {
    pub(crate) fn new() -> Self {
        Self {
            inline: [const { ("", Cow::Borrowed("")) }; INLINE],
            spilled: Vec::new(),
            len: 0,
        }
    }

    /// Decodes and adds raw values.
    pub(crate) fn extend_raw(
        &mut self,
        raw: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), InvalidUtf8InPathParam> {
        for (name, value) in raw {
            self.push((name, decode(name, value)?));
        }
        Ok(())
    }

    /// Adds a parameter that is already decoded.
    pub(crate) fn push(&mut self, capture: Capture<'a>) {
        if let Some(slot) = self.inline.get_mut(self.len) {
            *slot = capture;
        } else {
            if self.spilled.is_empty() {
                self.spilled.reserve(2 * INLINE);
                self.spilled
                    .extend(self.inline.iter_mut().map(std::mem::take));
            }
            self.spilled.push(capture);
        }
        self.len += 1;
    }

    pub(crate) fn as_slice(&self) -> &[Capture<'a>] {
        if self.spilled.is_empty() {
            &self.inline[..self.len]
        } else {
            &self.spilled
        }
    }
}

/// Decodes the percent-escapes of one value. Borrows when there is none.
pub(crate) fn decode<'a>(
    name: &str,
    value: &'a str,
) -> Result<Cow<'a, str>, InvalidUtf8InPathParam> {
    if !value.as_bytes().contains(&b'%') {
        return Ok(Cow::Borrowed(value));
    }
    percent_decode_str(value)
        .decode_utf8()
        .map_err(|_| InvalidUtf8InPathParam {
            key: name.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrows_what_has_no_escape() {
        let mut captures = Captures::new();
        captures
            .extend_raw([("a", "plain"), ("b", "one%20two"), ("c", "100%")].into_iter())
            .unwrap();
        let [a, b, c] = captures.as_slice() else {
            panic!("three captures")
        };
        assert!(matches!(a, ("a", Cow::Borrowed("plain"))));
        assert_eq!(*b, ("b", Cow::Borrowed("one two")));
        assert_eq!(*c, ("c", Cow::Borrowed("100%")));
    }

    #[test]
    fn names_the_value_that_is_not_utf8() {
        let error = Captures::new()
            .extend_raw([("ok", "%C3%A9"), ("bad", "%C3%28")].into_iter())
            .unwrap_err();
        assert_eq!(error.key, "bad");
    }

    #[test]
    fn keeps_the_order_beyond_the_inline_slots() {
        let names: Vec<String> = (0..3 * INLINE).map(|n| format!("p{n}")).collect();
        let mut captures = Captures::new();
        for (added, name) in names.iter().enumerate() {
            captures.push((name, Cow::Borrowed(name)));
            let expected: Vec<_> = names[..=added].iter().map(String::as_str).collect();
            let got: Vec<_> = captures.as_slice().iter().map(|(name, _)| *name).collect();
            assert_eq!(got, expected);
        }
    }
}
