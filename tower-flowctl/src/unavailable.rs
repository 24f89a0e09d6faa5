use http::{HeaderValue, Response, StatusCode, header::RETRY_AFTER};

/// An empty `503 Service Unavailable` with `Retry-After`, in seconds (RFC 9110 §10.2.3).
pub(crate) fn unavailable<R: Default>(retry_after: u64) -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(retry_after));
    response
}
