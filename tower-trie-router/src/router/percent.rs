//! Normalising a path before the match, for
//! [`PercentPolicy::Normalize`](super::PercentPolicy::Normalize).

/// The path with the escapes of unreserved characters and of non-ASCII UTF-8 decoded; `None` if
/// that changes nothing.
///
/// Every other escape stays as it came, `%2F` and `%25` above all: a separator never appears that
/// was not there, and nothing is decoded twice. Linear in the path.
pub(crate) fn normalize(path: &str) -> Option<String> {
    if !path.contains('%') {
        return None;
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (decoded, taken) = decode_run(rest.as_bytes());
        match decoded {
            Some(character) => out.push(character),
            None => out.push_str(&rest[..taken]),
        }
        rest = &rest[taken..];
    }
    out.push_str(rest);
    (out != path).then_some(out)
}

/// What the escape at the start of `text` stands for and how many bytes it takes; `None` with the
/// bytes to keep.
fn decode_run(text: &[u8]) -> (Option<char>, usize) {
    let Some(first) = escape(text) else {
        return (None, 1);
    };
    if first.is_ascii() {
        let unreserved = first.is_ascii_alphanumeric() || b"-._~".contains(&first);
        return (unreserved.then_some(char::from(first)), 3);
    }
    let length = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return (None, 3),
    };
    let mut bytes = [first, 0, 0, 0];
    for (place, byte) in bytes[..length].iter_mut().enumerate().skip(1) {
        match text.get(place * 3..).and_then(escape) {
            Some(found) => *byte = found,
            None => return (None, 3),
        }
    }
    let character = std::str::from_utf8(&bytes[..length]).ok();
    let character = character.and_then(|text| text.chars().next());
    // A control character of Unicode stays escaped, as one of ASCII does.
    match character.filter(|character| !character.is_control()) {
        Some(character) => (Some(character), length * 3),
        None => (None, 3),
    }
}

/// The byte an escape at the start of `text` stands for.
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = *text else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_escapes_are_decoded() {
        for (path, expected) in [
            ("/plain", None),
            ("/caf%C3%A9", Some("/café")),
            ("/caf%c3%a9", Some("/café")),
            ("/%61%2d%7E", Some("/a-~")),
            ("/%E2%82%AC/%F0%9F%A6%80", Some("/€/🦀")),
            ("/a%2Fb", None),
            ("/a%2fb%61", Some("/a%2fba")),
            ("/%25%36%31", Some("/%2561")),
            ("/%2561", None),
            ("/%00%0a", None),
            ("/%C2%80", None),
            ("/%FF", None),
            ("/%C3", None),
            ("/%C3%28", None),
            ("/%C3%A", None),
            ("/%", None),
            ("/%4", None),
            ("/%zz", None),
            ("/%ED%A0%80", None),
            ("/%2e%2E/x", Some("/../x")),
            ("/%C3%C3%A9", Some("/%C3é")),
        ] {
            assert_eq!(normalize(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_second_pass_changes_nothing() {
        for path in ["/%2561", "/%25%36%31", "/caf%C3%A9%2F", "/%C3%C3%A9"] {
            let once = normalize(path).unwrap_or_else(|| path.into());
            let twice = normalize(&once).unwrap_or_else(|| once.clone());
            assert_eq!(once, twice, "{path}");
        }
    }
}
