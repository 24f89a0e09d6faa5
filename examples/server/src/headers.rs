//! Headers that tell browsers to do nothing that was not asked for.

use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Set where a handler has not set its own.
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

/// Sets them.
pub(crate) fn secure(headers: &mut HeaderMap) {
    // Few responses have one of them, and few have many headers: to look through their names is less than a look-up for each.
    let has = |name: &HeaderName| headers.keys().any(|known| known == name);
    let own = HEADERS.each_ref().map(|(name, _)| has(name));
    headers.reserve(HEADERS.len() + LATER);
    for ((name, value), own) in HEADERS.iter().zip(own) {
        if !own {
            headers.insert(name, value.clone());
        }
    }
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
}
