//! Headers that tell browsers to do nothing that was not asked for.

use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Set where a handler has not set its own: the first [`ON_DATA`] on every response, the rest on what a browser may show as
/// a page.
static HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ),
];
const ON_DATA: usize = 2;

/// What the API answers with. It has neither scripts nor links for a policy to be about, and `nosniff` keeps it from being taken
/// for something that has; each header more is work in every response. All other types, and none, are taken for pages.
const DATA: [&[u8]; 4] = [
    b"application/json",
    b"application/problem+json",
    b"text/event-stream",
    b"text/plain",
];

/// Sets them.
pub(crate) fn secure(headers: &mut HeaderMap) {
    let wanted = match is_data(headers) {
        true => &HEADERS[..ON_DATA],
        false => &HEADERS,
    };
    headers.reserve(wanted.len() + LATER);
    for (name, value) in wanted {
        // Few responses have one of them, and few have many headers: to look through their names is less than a look-up.
        if !headers.keys().any(|known| known == name) {
            headers.insert(name, value.clone());
        }
    }
}

fn is_data(headers: &HeaderMap) -> bool {
    let mut fields = headers.iter().filter(|(name, _)| *name == CONTENT_TYPE);
    // What a proxied answer says twice, browsers take as they like.
    let (Some((_, kind)), None) = (fields.next(), fields.next()) else {
        return false;
    };
    if kind.as_bytes().contains(&b',') {
        return false;
    }
    // Without its parameters.
    let kind = kind.as_bytes().split(|&byte| byte == b';').next();
    kind.is_some_and(|kind| DATA.contains(&kind))
}

/// How many headers come after these: the request's id.
const LATER: usize = 1;

/// Lets the pages of a site have scripts and styles of their own, as rustdoc's have.
pub(crate) fn for_site<B>(mut response: http::Response<B>) -> http::Response<B> {
    let policy = "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'none'";
    let policy = HeaderValue::from_static(policy);
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_handler_set_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        secure(&mut headers);
        assert_eq!(headers.len(), HEADERS.len());
        assert_eq!(headers[X_FRAME_OPTIONS], "SAMEORIGIN");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }

    #[test]
    fn what_may_be_shown_as_a_page_has_all_of_them() {
        let cases = [
            (Some("application/json"), ON_DATA),
            (Some("application/problem+json"), ON_DATA),
            (Some("text/plain; charset=utf-8"), ON_DATA),
            (Some("text/event-stream"), ON_DATA),
            (Some("text/html; charset=utf-8"), HEADERS.len()),
            (Some("text/plainer"), HEADERS.len()),
            (Some("text/plain;,text/html"), HEADERS.len()),
            (Some("image/svg+xml"), HEADERS.len()),
            (Some("application/pdf"), HEADERS.len()),
            (None, HEADERS.len()),
        ];
        for (kind, set) in cases {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            let before = headers.len();
            secure(&mut headers);
            assert_eq!(headers.len() - before, set, "{kind:?}");
        }
        let mut twice = HeaderMap::new();
        twice.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        twice.append(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        secure(&mut twice);
        assert_eq!(twice.len() - 2, HEADERS.len());
    }
}
