//! Dictionaries of structured fields (RFC 8941, RFC 9651), strictly.
//!
//! A field that breaks the grammar anywhere is void as a whole, so even members of no interest have to be read to
//! their end.

/// A member's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    Integer(i64),
    Boolean(bool),
    /// Any other type.
    Other,
}

/// Calls `member` with each member of a dictionary; `None` if the field is malformed (RFC 8941 §4.2.2).
pub(crate) fn dictionary(field: &[u8], mut member: impl FnMut(&[u8], Bare)) -> Option<()> {
    let mut input = Input(field);
    input.skip(b" ");
    while !input.0.is_empty() {
        let key = input.key()?;
        let value = if input.take(b'=') {
            if input.0.first() == Some(&b'(') {
                input.inner_list()?
            } else {
                input.bare()?
            }
        } else {
            Bare::Boolean(true)
        };
        input.parameters()?;
        member(key, value);
        input.skip(b" \t");
        if input.0.is_empty() {
            break;
        }
        if !input.take(b',') {
            return None;
        }
        input.skip(b" \t");
        if input.0.is_empty() {
            return None;
        }
    }
    Some(())
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, byte: u8) -> bool {
        let taken = self.0.first() == Some(&byte);
        if taken {
            self.0 = &self.0[1..];
        }
        taken
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn skip(&mut self, bytes: &[u8]) {
        self.take_while(|byte| bytes.contains(&byte));
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| !belongs(byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        match self.0.first()? {
            b'a'..=b'z' | b'*' => Some(self.take_while(
                |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'),
            )),
            _ => None,
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.take(b';') {
            self.skip(b" ");
            self.key()?;
            if self.take(b'=') {
                self.bare()?;
            }
        }
        Some(())
    }

    fn inner_list(&mut self) -> Option<Bare> {
        self.take(b'(');
        loop {
            self.skip(b" ");
            if self.take(b')') {
                return Some(Bare::Other);
            }
            self.bare()?;
            self.parameters()?;
            if !matches!(self.0.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    fn bare(&mut self) -> Option<Bare> {
        match self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'?' => self.boolean(),
            b'"' => self.string(),
            b':' => self.bytes(),
            b'@' => {
                self.next();
                match self.number()? {
                    Bare::Integer(_) => Some(Bare::Other),
                    _ => None,
                }
            }
            b'%' => self.display_string(),
            b'A'..=b'Z' | b'a'..=b'z' | b'*' => {
                self.take_while(
                    |byte| matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-'..=b':' | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~'),
                );
                Some(Bare::Other)
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Bare> {
        let sign = if self.take(b'-') { -1 } else { 1 };
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if self.take(b'.') {
            let fraction = self.take_while(|byte| byte.is_ascii_digit());
            let fits = (1..=12).contains(&digits.len()) && (1..=3).contains(&fraction.len());
            return fits.then_some(Bare::Other);
        }
        if !(1..=15).contains(&digits.len()) {
            return None;
        }
        let value = digits
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        Some(Bare::Integer(sign * value))
    }

    fn boolean(&mut self) -> Option<Bare> {
        self.next();
        match self.next()? {
            b'0' => Some(Bare::Boolean(false)),
            b'1' => Some(Bare::Boolean(true)),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Bare> {
        self.next();
        loop {
            match self.next()? {
                b'\\' => match self.next()? {
                    b'"' | b'\\' => {}
                    _ => return None,
                },
                b'"' => return Some(Bare::Other),
                0x20..=0x7e => {}
                _ => return None,
            }
        }
    }

    fn bytes(&mut self) -> Option<Bare> {
        self.next();
        self.take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        self.take(b':').then_some(Bare::Other)
    }

    fn display_string(&mut self) -> Option<Bare> {
        self.next();
        if !self.take(b'"') {
            return None;
        }
        loop {
            match self.next()? {
                b'%' => {
                    for _ in 0..2 {
                        if !matches!(self.next()?, b'0'..=b'9' | b'a'..=b'f') {
                            return None;
                        }
                    }
                }
                b'"' => return Some(Bare::Other),
                0x20..=0x7e => {}
                _ => return None,
            }
        }
    }
}
