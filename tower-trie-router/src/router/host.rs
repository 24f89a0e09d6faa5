//! Hosts: a pattern is turned into a path of its labels from right to left, so that one trie
//! serves for hosts as well and `{*sub}.example.com` ends in its catch-all.
//!
//! `{tenant}.example.com` becomes `/com/example/{tenant}`.

use http::{Request, header};

/// A host pattern as a path pattern, or what is wrong with it.
pub(crate) fn pattern_to_path(pattern: &str) -> Result<String, String> {
    let mut labels = Vec::new();
    let mut label = String::new();
    let mut depth = 0_usize;
    for byte in pattern.chars() {
        match byte {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => return Err("a host has no path; give the host alone".into()),
            ':' if depth == 0 && !pattern.starts_with('[') => {
                return Err("the port is not compared; give the host alone".into());
            }
            '.' if depth == 0 && !pattern.starts_with('[') => {
                labels.push(std::mem::take(&mut label));
                continue;
            }
            _ => {}
        }
        // Names of parameters and their constraints keep their case.
        label.push(if depth == 0 {
            byte.to_ascii_lowercase()
        } else {
            byte
        });
    }
    labels.push(label);
    if labels.iter().any(String::is_empty) {
        return Err("a label is empty; write it as `example.com`".into());
    }
    if labels.iter().any(|label| label.find("{*") > Some(0)) {
        return Err("a catch-all takes whole labels; write it as `{*sub}.example.com`".into());
    }
    let mut path = String::new();
    for label in labels.iter().rev() {
        path.push('/');
        path.push_str(label);
    }
    Ok(path)
}

/// The host pattern a path pattern was made from.
pub(crate) fn unreverse(path: &str) -> String {
    let mut labels = Vec::new();
    let (mut start, mut depth) = (1, 0_usize);
    for (at, byte) in path.bytes().enumerate().skip(1) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                labels.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    labels.push(&path[start..]);
    labels.reverse();
    labels.join(".")
}

/// The host a request is for: the authority of its URI (absolute form, HTTP/2), else its `Host`
/// header (RFC 9112 §3.2.2: the request target wins).
pub(crate) fn of_request<B>(request: &Request<B>) -> Option<&str> {
    let authority = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request.headers().get(header::HOST)?.to_str().ok()?,
    };
    Some(without_port(authority))
}

fn without_port(authority: &str) -> &str {
    let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
    if let Some(end) = host.find(']') {
        return &host[..=end];
    }
    host.split_once(':').map_or(host, |(host, _)| host)
}

/// A host's name in lower case without the dot of the root, and its labels as a path; `None` for
/// a name that is no host.
pub(crate) fn to_path(host: &str) -> Option<(String, String)> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host.contains('/') {
        return None;
    }
    let name = host.to_ascii_lowercase();
    let mut reversed = String::with_capacity(name.len() + 1);
    if name.starts_with('[') {
        reversed.push('/');
        reversed.push_str(&name);
    } else {
        for label in name.rsplit('.') {
            reversed.push('/');
            reversed.push_str(label);
        }
    }
    Some((name, reversed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_paths_and_come_back() {
        for (pattern, path) in [
            ("example.com", "/com/example"),
            ("Example.COM", "/com/example"),
            ("{tenant}.example.com", "/com/example/{tenant}"),
            ("{*sub}.example.com", "/com/example/{*sub}"),
            ("api-{region}.example.com", "/com/example/api-{region}"),
            ("{T:[a-z.]+}.x", "/x/{T:[a-z.]+}"),
            ("localhost", "/localhost"),
            ("[::1]", "/[::1]"),
        ] {
            assert_eq!(pattern_to_path(pattern).as_deref(), Ok(path), "{pattern}");
            let lower = pattern_to_path(pattern).map(|path| unreverse(&path));
            assert!(lower.unwrap().eq_ignore_ascii_case(pattern), "{pattern}");
        }
        for pattern in ["", "a..b", ".a", "a.", "a/b", "a:80", "x{*sub}.com"] {
            assert!(pattern_to_path(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn names_become_paths() {
        for (host, path) in [
            ("a.Example.com", Some("/com/example/a")),
            ("example.com.", Some("/com/example")),
            ("[::1]", Some("/[::1]")),
            ("", None),
            ("a/b", None),
        ] {
            let found = to_path(host).map(|(_, path)| path);
            assert_eq!(found.as_deref(), path, "{host}");
        }
    }

    #[test]
    fn ports_and_users_are_not_part_of_a_host() {
        for (authority, host) in [
            ("example.com:80", "example.com"),
            ("u:p@example.com:80", "example.com"),
            ("[::1]:80", "[::1]"),
            ("example.com", "example.com"),
        ] {
            assert_eq!(without_port(authority), host);
        }
    }
}
