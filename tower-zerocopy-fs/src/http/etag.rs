//! Entity tags (RFC 9110 §8.8.3): reading lists of them and comparing.

/// How a list of entity tags relates to one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Both strong and equal (§8.8.3.2).
    Strong,
    /// Equal whether weak or not.
    Weak,
}

/// True if `list` is `*` or holds `tag`. `tag` is `None` where the representation has none; `*` then still matches,
/// since a representation exists. Malformed rest of a list is not looked at.
pub(crate) fn list_matches(list: &[u8], tag: Option<&[u8]>, how: Comparison) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    let Some(tag) = tag else { return false };
    loop {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after;
            continue;
        }
        let Some((candidate, after)) = split_tag(rest) else {
            return false;
        };
        if same(candidate, tag, how) {
            return true;
        }
        rest = after.trim_ascii_start();
        match rest.strip_prefix(b",") {
            Some(after) => rest = after,
            None => return false,
        }
    }
}

/// Compares two entity tags.
pub(crate) fn same(a: &[u8], b: &[u8], how: Comparison) -> bool {
    match how {
        Comparison::Strong => a == b && !a.starts_with(b"W/"),
        Comparison::Weak => opaque(a) == opaque(b),
    }
}

/// True if `field` is one well-formed entity tag and nothing else.
pub(crate) fn is_tag(field: &[u8]) -> bool {
    split_tag(field).is_some_and(|(_, rest)| rest.is_empty())
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

fn split_tag(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let prefix = if input.starts_with(b"W/") { 2 } else { 0 };
    if input.get(prefix) != Some(&b'"') {
        return None;
    }
    let body = &input[prefix + 1..];
    // etagc (§8.8.3): no space, no control, no quote; obs-text is allowed.
    let close = body
        .iter()
        .position(|&b| !matches!(b, 0x21 | 0x23..=0x7e | 0x80..))?;
    (body[close] == b'"').then(|| input.split_at(prefix + close + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_match_by_the_comparison_asked_for() {
        let cases: &[(&str, Option<&str>, bool, bool)] = &[
            // list, tag, strong, weak
            (r#""a""#, Some(r#""a""#), true, true),
            (r#"W/"a""#, Some(r#""a""#), false, true),
            (r#""a""#, Some(r#"W/"a""#), false, true),
            (r#"W/"a""#, Some(r#"W/"a""#), false, true),
            (r#""b", "a""#, Some(r#""a""#), true, true),
            (r#""b","a""#, Some(r#""a""#), true, true),
            (r#" , ,"b" , "a" "#, Some(r#""a""#), true, true),
            (r#""x,y", "a""#, Some(r#""a""#), true, true),
            (r#""x,"a"","#, Some(r#""a""#), false, false),
            ("*", Some(r#""a""#), true, true),
            (" * ", None, true, true),
            (r#""a""#, None, false, false),
            ("a", Some(r#""a""#), false, false),
            (r#""a"#, Some(r#""a""#), false, false),
            (r#"w/"a""#, Some(r#""a""#), false, false),
            ("", Some(r#""a""#), false, false),
            (r#""b" "a""#, Some(r#""a""#), false, false),
        ];
        for (list, tag, strong, weak) in cases {
            let tag = tag.map(str::as_bytes);
            assert_eq!(
                list_matches(list.as_bytes(), tag, Comparison::Strong),
                *strong,
                "strong {list}"
            );
            assert_eq!(
                list_matches(list.as_bytes(), tag, Comparison::Weak),
                *weak,
                "weak {list}"
            );
        }
    }
}
