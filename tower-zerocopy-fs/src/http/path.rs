//! From a request target's path to the name of a file under the root.
//!
//! The rules, all before any file system is asked: percent-escapes are decoded once; an escape that is not two hex
//! digits and a NUL are errors of the client; what decodes to `..`, `.`, a slash, a backslash, a control character or
//! no UTF-8 (overlong forms are none) names no file. Empty segments are dropped. On Windows, what the system reads as a
//! drive, a stream or a device names no file either.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

/// Everything that is not unreserved (RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'!')
    .add(b'"')
    .add(b'#')
    .add(b'$')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'*')
    .add(b'+')
    .add(b',')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The name of a file under the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName<'a> {
    /// Segments joined by single slashes; empty for the root itself.
    pub(crate) name: Cow<'a, str>,
    /// True if the target ended in a slash and so asks for a directory.
    pub(crate) directory: bool,
}

impl FileName<'_> {
    /// The same name on the heap.
    pub(crate) fn into_owned(self) -> FileName<'static> {
        FileName {
            name: Cow::Owned(self.name.into_owned()),
            directory: self.directory,
        }
    }
}

/// Why a target names no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not a well-formed path: status 400.
    Malformed,
    /// Well-formed, but no file can have this name: status 404.
    NoFile,
}

/// Reads the path of a request target. Linear; allocates only where something had to be decoded or dropped.
///
/// # Errors
/// [`Refusal`] as the module's head says.
pub(crate) fn parse(path: &str) -> Result<FileName<'_>, Refusal> {
    let Some(rest) = path.strip_prefix('/') else {
        // The asterisk and authority forms of a target (RFC 9112 §3.2) name no file.
        return Err(Refusal::NoFile);
    };
    let directory = rest.is_empty() || rest.ends_with('/');
    let decoded = decode(rest.strip_suffix('/').unwrap_or(rest))?;
    let plain = decoded.is_empty() || decoded.split('/').all(|s| !s.is_empty());
    for segment in decoded.split('/').filter(|s| !s.is_empty()) {
        if !is_file_name(segment) {
            return Err(Refusal::NoFile);
        }
    }
    let name = if plain {
        decoded
    } else {
        let segments: Vec<_> = decoded.split('/').filter(|s| !s.is_empty()).collect();
        Cow::Owned(segments.join("/"))
    };
    Ok(FileName { name, directory })
}

fn decode(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    if !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    let bytes = raw.as_bytes();
    for (i, _) in bytes.iter().enumerate().filter(|&(_, &b)| b == b'%') {
        let escape = bytes.get(i + 1..i + 3).ok_or(Refusal::Malformed)?;
        if !escape.iter().all(u8::is_ascii_hexdigit) || escape == b"00" {
            return Err(Refusal::Malformed);
        }
        if escape.eq_ignore_ascii_case(b"2f") {
            return Err(Refusal::NoFile);
        }
    }
    percent_decode(bytes)
        .decode_utf8()
        .map_err(|_| Refusal::NoFile)
}

fn is_file_name(segment: &str) -> bool {
    !matches!(segment, "." | "..")
        && !segment.bytes().any(|b| b == b'\\' || b < 0x20 || b == 0x7f)
        && (cfg!(not(windows)) || is_windows_file_name(segment))
}

/// No drive or stream (`:`), no wildcard, no trailing dot or space, no DOS device.
fn is_windows_file_name(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or(segment).trim_end();
    let device = ["con", "prn", "aux", "nul", "conin$", "conout$"]
        .iter()
        .any(|d| stem.eq_ignore_ascii_case(d))
        || (stem.chars().count() == 4
            && stem
                .get(..3)
                .is_some_and(|s| s.eq_ignore_ascii_case("com") || s.eq_ignore_ascii_case("lpt")));
    !device
        && !segment.ends_with(['.', ' '])
        && !segment.contains([':', '*', '?', '"', '<', '>', '|'])
}

/// True if a segment of `name` begins with a dot.
pub(crate) fn has_dot_segment(name: &str) -> bool {
    name.split('/').any(|segment| segment.starts_with('.'))
}

/// The last segment of `name` as a relative reference that stays on this host whatever the name is: `./` in front keeps
/// `a:b` from being a scheme, and being relative it can never become `//host`.
pub(crate) fn relative_reference(last_segment: &str) -> String {
    format!("./{}", utf8_percent_encode(last_segment, SEGMENT))
}

/// `text` with all but unreserved bytes escaped, as `filename*` (RFC 8187) wants it.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_become_names_or_are_refused() {
        use Refusal::{Malformed, NoFile};
        type Case<'a> = (&'a str, Result<(&'a str, bool), Refusal>);
        let cases: &[Case<'_>] = &[
            ("/", Ok(("", true))),
            ("//", Ok(("", true))),
            ("/a", Ok(("a", false))),
            ("/a/", Ok(("a", true))),
            ("/a/b.txt", Ok(("a/b.txt", false))),
            ("//a///b", Ok(("a/b", false))),
            ("/a%20b", Ok(("a b", false))),
            ("/%61", Ok(("a", false))),
            ("/%E2%82%AC", Ok(("€", false))),
            ("/a+b", Ok(("a+b", false))),
            // Decoded once only.
            ("/%2561", Ok(("%61", false))),
            ("/%252e%252e/x", Ok(("%2e%2e/x", false))),
            // Three dots are a name.
            ("/...", Ok(("...", false))),
            ("/a..b", Ok(("a..b", false))),
            ("/..a", Ok(("..a", false))),
            // Traversal in every dress.
            ("/..", Err(NoFile)),
            ("/../", Err(NoFile)),
            ("/../etc/passwd", Err(NoFile)),
            ("/a/..", Err(NoFile)),
            ("/a/../b", Err(NoFile)),
            ("/%2e%2e/x", Err(NoFile)),
            ("/%2E./x", Err(NoFile)),
            ("/.%2e/x", Err(NoFile)),
            ("/a/./b", Err(NoFile)),
            ("/..%2fx", Err(NoFile)),
            ("/a%2Fb", Err(NoFile)),
            ("/..%5cx", Err(NoFile)),
            ("/..\\x", Err(NoFile)),
            ("/a\\b", Err(NoFile)),
            // Overlong and otherwise invalid UTF-8.
            ("/%c0%ae%c0%ae/x", Err(NoFile)),
            ("/%c0%af", Err(NoFile)),
            ("/%e0%80%af", Err(NoFile)),
            ("/%ff", Err(NoFile)),
            ("/%ed%a0%80", Err(NoFile)),
            // Controls.
            ("/a%0ab", Err(NoFile)),
            ("/a%7f", Err(NoFile)),
            // Malformed.
            ("/%", Err(Malformed)),
            ("/%a", Err(Malformed)),
            ("/%zz", Err(Malformed)),
            ("/a%00", Err(Malformed)),
            ("/%00", Err(Malformed)),
            // Other forms of a target.
            ("*", Err(NoFile)),
            ("", Err(NoFile)),
            ("a/b", Err(NoFile)),
        ];
        for (path, expected) in cases {
            let got = parse(path);
            let got = got
                .as_ref()
                .map(|f| (f.name.as_ref(), f.directory))
                .map_err(|e| *e);
            assert_eq!(got, *expected, "{path:?}");
        }
    }

    #[test]
    fn names_windows_reads_otherwise_are_known() {
        for bad in [
            "c:", "a:stream", "con", "NUL.txt", "com1", "lpt9.log", "a.", "a ", "a?", "x|y",
            "conin$",
        ] {
            assert!(!is_windows_file_name(bad), "{bad:?}");
        }
        for good in [
            "a",
            "console",
            "com",
            "com10",
            "a.b",
            ".well-known",
            "nullable.txt",
        ] {
            assert!(is_windows_file_name(good), "{good:?}");
        }
    }

    #[test]
    fn references_stay_on_the_host() {
        for (name, expected) in [
            ("a", "./a"),
            ("a:b", "./a%3Ab"),
            ("a b?#", "./a%20b%3F%23"),
            ("//x", "./%2F%2Fx"),
        ] {
            assert_eq!(relative_reference(name), expected);
        }
    }
}
