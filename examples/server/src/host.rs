//! A request names one host, which hyper leaves to its user: with none, or with two, what is in front of this server and
//! what is behind its proxy may each think of another (RFC 9112 §3.2).

use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::{Request, StatusCode, Version};

use crate::problem::Problem;

/// 400 for a request of HTTP/1.1 without a host, and for any with two. HTTP/2 names it in `:authority`.
pub(crate) fn refuse<B>(request: &Request<B>) -> Option<Response> {
    let mut named = request.headers().get_all(HOST).iter();
    let detail = match (named.next(), named.next()) {
        (_, Some(_)) => "the request names several hosts",
        (None, _) if request.version() == Version::HTTP_11 => "the request names no host",
        _ => return None,
    };
    Some(Problem::new(StatusCode::BAD_REQUEST, detail).into_response())
}
