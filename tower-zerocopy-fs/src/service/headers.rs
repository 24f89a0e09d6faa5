//! The header of a file, made once when it is opened.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};

use super::options::{Disposition, EntityTags, Options};
use crate::{
    fs::file::Version,
    http::{condition::seconds, encoding::Coding, glob, path},
};

/// The header of the full response with the file `name` in `coding`.
pub(super) fn of_file(
    options: &Options,
    name: &str,
    coding: Option<Coding>,
    version: &Version,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(header::CONTENT_TYPE, content_type(options, name));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(version.len));
    headers.insert(
        header::ACCEPT_RANGES,
        HeaderValue::from_static(if options.max_ranges > 0 {
            "bytes"
        } else {
            "none"
        }),
    );
    if let Some(tag) = entity_tag(options.entity_tags, version, coding) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(date) = version.modified.and_then(http_date) {
        headers.insert(header::LAST_MODIFIED, date);
    }
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, coding.header_value());
    }
    if !options.codings.is_empty() {
        // Also where no coded file is there now: one may be there by the time a cache asks for another client.
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if let Some((_, value)) = options
        .cache_control
        .iter()
        .find(|(pattern, _)| glob::matches(pattern, name))
    {
        headers.insert(header::CACHE_CONTROL, value.clone());
    }
    if let Some((_, disposition)) = options
        .disposition
        .iter()
        .find(|(pattern, _)| glob::matches(pattern, name))
    {
        headers.insert(
            header::CONTENT_DISPOSITION,
            content_disposition(*disposition, name),
        );
    }
    headers
}

/// The fields of a full response's header that a 304 repeats (RFC 9110 §15.4.5).
pub(super) fn of_not_modified(full: &HeaderMap) -> HeaderMap {
    let kept = [
        header::ETAG,
        header::LAST_MODIFIED,
        header::CACHE_CONTROL,
        header::VARY,
    ];
    kept.into_iter()
        .filter_map(|name| full.get(&name).cloned().map(|value| (name, value)))
        .collect()
}

fn content_type(options: &Options, name: &str) -> HeaderValue {
    let last = name.rsplit('/').next().unwrap_or(name);
    let extension = last.rsplit_once('.').map_or("", |(_, extension)| extension);
    if let Some((_, value)) = options
        .content_types
        .iter()
        .find(|(e, _)| e.eq_ignore_ascii_case(extension))
    {
        return value.clone();
    }
    match mime_guess::from_ext(extension).first_raw() {
        None => HeaderValue::from_static("application/octet-stream"),
        // The one name for all of them since RFC 9239.
        Some("application/javascript") => {
            HeaderValue::from_static("text/javascript; charset=utf-8")
        }
        // What a browser would otherwise guess the charset of. XML and JSON say or fix theirs themselves.
        Some(mime) if mime.starts_with("text/") => {
            HeaderValue::try_from(format!("{mime}; charset=utf-8"))
                .unwrap_or(HeaderValue::from_static("text/plain; charset=utf-8"))
        }
        Some(mime) => HeaderValue::from_static(mime),
    }
}

fn entity_tag(kind: EntityTags, version: &Version, coding: Option<Coding>) -> Option<HeaderValue> {
    let prefix = match kind {
        EntityTags::Off => return None,
        EntityTags::Strong => "",
        EntityTags::Weak => "W/",
    };
    let age = version
        .modified?
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    let suffix = coding.map_or("", Coding::suffix).replace('.', "-");
    HeaderValue::try_from(format!(
        "{prefix}\"{:x}-{:x}{suffix}\"",
        age.as_nanos(),
        version.len
    ))
    .ok()
}

/// Never a date in the future (§8.8.2.1), nor one that the format cannot say.
fn http_date(time: SystemTime) -> Option<HeaderValue> {
    const YEAR_9999: u64 = 253_370_764_800;
    let time = time.min(SystemTime::now());
    if time < SystemTime::UNIX_EPOCH || seconds(time) >= YEAR_9999 {
        return None;
    }
    HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()
}

fn content_disposition(disposition: Disposition, name: &str) -> HeaderValue {
    let kind = match disposition {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    let last = name.rsplit('/').next().unwrap_or(name);
    let plain: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let value = if plain == last {
        format!("{kind}; filename=\"{plain}\"")
    } else {
        format!(
            "{kind}; filename=\"{plain}\"; filename*=UTF-8''{}",
            path::escape(last)
        )
    };
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(kind))
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use super::*;

    #[test]
    fn types_come_with_a_charset_where_it_matters() {
        let mut options = Options::new(PathBuf::new());
        options
            .content_types
            .push(("foo".to_owned(), HeaderValue::from_static("x/foo")));
        for (name, expected) in [
            ("a.html", "text/html; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("A.TXT", "text/plain; charset=utf-8"),
            ("a.json", "application/json"),
            ("a.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("a.woff2", "font/woff2"),
            ("a.wasm", "application/wasm"),
            ("a.foo", "x/foo"),
            ("a.FOO", "x/foo"),
            ("d.html/a", "application/octet-stream"),
            ("a", "application/octet-stream"),
            ("a.unknown-extension", "application/octet-stream"),
        ] {
            assert_eq!(content_type(&options, name), expected, "{name}");
        }
    }

    #[test]
    fn names_are_quoted_for_every_browser() {
        for (name, expected) in [
            ("d/a.zip", r#"attachment; filename="a.zip""#),
            ("a b.zip", r#"attachment; filename="a b.zip""#),
            (
                "a\"b.zip",
                r#"attachment; filename="a_b.zip"; filename*=UTF-8''a%22b.zip"#,
            ),
            (
                "€.zip",
                r#"attachment; filename="_.zip"; filename*=UTF-8''%E2%82%AC.zip"#,
            ),
        ] {
            assert_eq!(content_disposition(Disposition::Attachment, name), expected);
        }
    }

    #[test]
    fn dates_are_never_in_the_future() {
        let ahead = SystemTime::now() + Duration::from_secs(1_000_000);
        let said = http_date(ahead).unwrap();
        let said = httpdate::parse_http_date(said.to_str().unwrap()).unwrap();
        assert!(said <= SystemTime::now());
        assert_eq!(
            http_date(SystemTime::UNIX_EPOCH).unwrap(),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
        assert_eq!(
            http_date(SystemTime::UNIX_EPOCH - Duration::from_secs(9)),
            None
        );
    }
}
