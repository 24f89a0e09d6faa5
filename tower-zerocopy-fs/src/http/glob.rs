//! Path patterns for per-path settings.

/// True if `pattern` matches `path` (without its leading slash).
///
/// `?` is one byte and `*` any run of bytes, neither with `/`; `**` is any run of bytes with `/`; everything else is
/// itself. A pattern without `/` is held against the last segment alone, so `*.css` matches in every directory.
/// Never worse than the product of the lengths.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let pattern = pattern.strip_prefix('/').map_or(pattern, |rest| rest);
    let path = if pattern.contains('/') || pattern.contains("**") {
        path
    } else {
        path.rsplit('/').next().unwrap_or(path)
    };
    let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
    // One row of the dynamic programme: which prefixes of the path the pattern read so far can match.
    let mut row = vec![false; path.len() + 1];
    row[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let token = pattern[at];
        let deep = token == b'*' && pattern.get(at + 1) == Some(&b'*');
        let mut before = row[0];
        if token != b'*' {
            row[0] = false;
        }
        for i in 0..path.len() {
            let here = row[i + 1];
            row[i + 1] = match token {
                b'*' => here || (row[i] && (deep || path[i] != b'/')),
                b'?' => before && path[i] != b'/',
                byte => before && path[i] == byte,
            };
            before = here;
        }
        at += if deep { 2 } else { 1 };
    }
    row[path.len()]
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_what_they_say() {
        let cases = [
            ("*.css", "a.css", true),
            ("*.css", "deep/in/a.css", true),
            ("/*.css", "a.css", true),
            ("*.css", "a.csss", false),
            ("assets/*", "assets/a.js", true),
            ("/assets/*", "assets/a.js", true),
            ("assets/*", "assets/b/a.js", false),
            ("assets/**", "assets/b/a.js", true),
            ("assets/**.js", "assets/b/a.js", true),
            ("assets/**/a.js", "assets/b/c/a.js", true),
            ("**", "any/thing", true),
            ("?.txt", "a.txt", true),
            ("?.txt", "ab.txt", false),
            ("a?b/c", "a/b/c", false),
            ("*-????????.js", "app-0123abcd.js", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("index.html", "docs/index.html", true),
            ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern, path), expected, "{pattern:?} on {path:?}");
        }
    }
}
