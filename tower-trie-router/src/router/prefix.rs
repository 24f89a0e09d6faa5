//! Patterns as text: their segments, and prefixes in front of them.

/// Whether a prefix can be nested at.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.is_empty() || prefix == "/" {
        return Err("the root takes no nested router; use `merge`, or `fallback_service`");
    }
    if !prefix.starts_with('/') {
        return Err("a prefix starts with `/`");
    }
    for segment in segments(prefix) {
        if segment.starts_with("{*") {
            return Err("a prefix holds no catch-all, which would leave nothing to nest");
        }
        if segment.ends_with("?}") {
            return Err("a prefix holds no optional segment");
        }
    }
    Ok(())
}

/// The segments of a pattern; a `/` inside braces does not separate.
pub(crate) fn segments(pattern: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, byte) in pattern.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                if at > 0 {
                    segments.push(&pattern[start..at]);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.push(&pattern[start..]);
    segments
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

/// A prefix below a prefix, as the beginning of patterns.
pub(crate) fn join_prefix(prefix: &str, inner: &str) -> String {
    format!("{}{inner}", prefix.trim_end_matches('/'))
}
