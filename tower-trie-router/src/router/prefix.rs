//! Patterns and prefixes as text: where they are cut, what may be nested at, what is below it.

/// Whether a prefix can be nested at.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.is_empty() || prefix == "/" {
        return Err("the root takes no nested router; use `merge`, or `fallback_service`");
    }
    if !prefix.starts_with('/') {
        return Err("a prefix starts with `/`");
    }
    for parameter in parameters(prefix) {
        if parameter.starts_with('*') {
            return Err("a prefix holds no catch-all, which would leave nothing to nest");
        }
        let name = parameter.split(':').next().unwrap_or_default();
        if name.ends_with('?') {
            return Err("a prefix holds no optional segment");
        }
    }
    Ok(())
}

/// A pattern below a prefix: `/api` and `/` make `/api`, `/api/` and `/` make `/api/`.
pub(crate) fn join(prefix: &str, pattern: &str) -> String {
    if prefix.is_empty() || !pattern.starts_with('/') {
        pattern.to_owned()
    } else if prefix.ends_with('/') {
        format!("{prefix}{}", pattern.trim_start_matches('/'))
    } else if pattern == "/" {
        prefix.to_owned()
    } else {
        format!("{prefix}{pattern}")
    }
}

/// A prefix (empty: none) below another.
pub(crate) fn join_prefix(prefix: &str, inner: &str) -> String {
    format!("{}{inner}", prefix.trim_end_matches('/'))
}

/// The segments of a pattern.
pub(crate) fn segments(pattern: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut start = 0;
    for (at, mark) in marks(pattern) {
        if mark == Mark::Slash {
            if at > 0 {
                segments.push(&pattern[start..at]);
            }
            start = at + 1;
        }
    }
    segments.push(&pattern[start..]);
    segments
}

/// The parameters of a pattern, without their braces.
fn parameters(pattern: &str) -> Vec<&str> {
    let mut parameters = Vec::new();
    let mut start = 0;
    for (at, mark) in marks(pattern) {
        match mark {
            Mark::Open => start = at + 1,
            Mark::Close => parameters.push(&pattern[start..at]),
            Mark::Slash => {}
        }
    }
    parameters
}

/// A byte of a pattern that is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Separates segments.
    Slash,
    /// Opens a parameter.
    Open,
    /// Closes a parameter.
    Close,
}

/// The marks of a pattern and where they stand. A brace that is doubled outside a parameter is
/// text; inside, where a regular expression may have braces of its own, they nest.
fn marks(pattern: &str) -> Vec<(usize, Mark)> {
    let mut marks = Vec::new();
    let mut depth = 0_usize;
    let mut bytes = pattern.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let doubled = bytes.peek().is_some_and(|(_, next)| *next == byte);
        match byte {
            b'{' | b'}' if depth == 0 && doubled => {
                bytes.next();
            }
            b'{' => {
                if depth == 0 {
                    marks.push((at, Mark::Open));
                }
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    marks.push((at, Mark::Close));
                }
            }
            b'/' if depth == 0 => marks.push((at, Mark::Slash)),
            _ => {}
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slashes_outside_parameters_separate() {
        for (pattern, expected) in [
            ("/", vec![""]),
            ("/a/b", vec!["a", "b"]),
            ("/a//b/", vec!["a", "", "b", ""]),
            ("/{a}/{b}-{c}", vec!["{a}", "{b}-{c}"]),
            ("/{x:[^/]{3}}/y", vec!["{x:[^/]{3}}", "y"]),
            ("/a{{/b", vec!["a{{", "b"]),
            ("/}}/{{{id}}}/z", vec!["}}", "{{{id}}}", "z"]),
            ("a/b", vec!["a", "b"]),
        ] {
            assert_eq!(segments(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn prefixes_hold_what_leaves_something_to_nest() {
        for prefix in [
            "/api",
            "/api/",
            "/{tenant}/v{n:u8}",
            "/{{*x}}",
            "/{x:[a-z]?}",
        ] {
            assert_eq!(check_prefix(prefix), Ok(()), "{prefix}");
        }
        for prefix in [
            "",
            "/",
            "api",
            "/{*rest}",
            "/src{*rest}",
            "/{id?}",
            "/{id?:u64}",
            "/a/{id?}",
        ] {
            assert!(check_prefix(prefix).is_err(), "{prefix}");
        }
    }
}
