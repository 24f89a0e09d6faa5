//! Whom to ask, and for what, in the words of the command line.

use std::net::{SocketAddr, ToSocketAddrs};

use http::Uri;

use super::plan::Ask;

/// A server and the paths it is asked for.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) host: String,
    pub(super) asks: Vec<Ask>,
}

impl Target {
    /// Reads the command line's words; refuses whatever is not on this machine.
    pub(super) fn parse(url: &str, paths: &[String]) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|e| format!("`{url}` is no URL: {e}"))?;
        if uri.scheme_str() != Some("http") {
            return Err(format!("`{url}`: the scheme must be `http`"));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(80);
        let mut addresses = (host, port)
            .to_socket_addrs()
            .map_err(|e| format!("`{host}`: {e}"))?;
        let address = addresses
            .find(|address| address.ip().is_loopback())
            .ok_or_else(|| {
                format!("`{host}` is not this machine: the load generator only speaks to a loopback address such as 127.0.0.1")
            })?;
        let own = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let asks = if paths.is_empty() {
            vec![ask(&own)?]
        } else {
            paths
                .iter()
                .map(|path| ask(path))
                .collect::<Result<_, _>>()?
        };
        Ok(Self {
            address,
            host: format!("{}:{port}", uri.host().unwrap_or_default()),
            asks,
        })
    }
}

/// Reads `/path` or `404:/path`.
fn ask(text: &str) -> Result<Ask, String> {
    let (status, path) = match text.split_once(":/") {
        Some((status, _)) if !status.is_empty() && !text.starts_with('/') => {
            let parsed = status.parse().map_err(|_| {
                format!("`{text}`: `{status}` is no status; write `404:/path` or `/path`")
            })?;
            (parsed, &text[status.len() + 1..])
        }
        _ => (200, text),
    };
    if !path.starts_with('/') {
        return Err(format!("`{text}`: a path starts with `/`"));
    }
    Ok(Ask::get(path).status(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_with_and_without_a_status() {
        let cases = [
            ("/a", Some(("/a", 200))),
            ("404:/a", Some(("/a", 404))),
            ("/a:/b", Some(("/a:/b", 200))),
            ("a", None),
            ("abc:/a", None),
        ];
        for (text, want) in cases {
            let got = ask(text).ok().map(|ask| (ask.path, ask.status));
            let want = want.map(|(path, status)| (path.to_owned(), status));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to() {
        let cases = [
            ("http://127.0.0.1:3000/a?b", Ok(("127.0.0.1:3000", "/a?b"))),
            ("http://[::1]:3000", Ok(("[::1]:3000", "/"))),
            ("http://192.0.2.1/", Err("not this machine")),
            ("https://127.0.0.1/", Err("scheme")),
            ("nonsense", Err("scheme")),
        ];
        for (url, want) in cases {
            match (Target::parse(url, &[]), want) {
                (Ok(target), Ok((address, path))) => {
                    assert_eq!(target.address.to_string(), address, "{url}");
                    assert_eq!(target.asks[0].path, path, "{url}");
                }
                (Err(error), Err(text)) => assert!(error.contains(text), "{url}: {error}"),
                (got, want) => panic!("{url}: {got:?}, wanted {want:?}"),
            }
        }
    }
}
