//! Headers that tell browsers to do nothing that was not asked for.

use axum::response::Response;
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};

use crate::config::Switch;

/// Set where a handler has not set its own.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
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

/// The mapping that sets them, or one that does nothing.
pub(crate) fn security(wanted: Switch) -> impl Fn(Response) -> Response + Clone {
    move |mut response| {
        if wanted.is_on() {
            for (name, value) in &HEADERS {
                response
                    .headers_mut()
                    .entry(name)
                    .or_insert_with(|| value.clone());
            }
        }
        response
    }
}

/// Lets the pages of a site have scripts and styles of their own, as rustdoc's have.
pub(crate) fn for_site<B>(mut response: http::Response<B>) -> http::Response<B> {
    let policy = "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'none'";
    let policy = HeaderValue::from_static(policy);
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}
