//! What changes of a head on its way to the upstream, and back.

use axum::extract::Request;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{StatusCode, Uri, Version};

use crate::facts;
use crate::problem::Problem;

/// How this server calls itself in `Via`, where it recognises its own requests.
const PSEUDONYM: &str = "tower-example";
/// Headers that concern one connection and are not passed on (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// The same, without a name of RFC 9110: older clients send them.
const OLD_HOP_BY_HOP: [&str; 2] = ["keep-alive", "proxy-connection"];

/// Turns a request to this server into one to the upstream.
pub(super) fn prepare(request: &mut Request, authority: &HeaderValue) -> Result<(), Problem> {
    let was_here = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|hop| hop.trim().ends_with(PSEUDONYM))
    };
    if request.headers().get_all(header::VIA).iter().any(was_here) {
        let detail = "the request came from this proxy";
        return Err(Problem::new(StatusCode::LOOP_DETECTED, detail));
    }
    let whole = request
        .uri()
        .path_and_query()
        .map_or("/", PathAndQuery::as_str);
    let path = whole.strip_prefix("/proxy").unwrap_or(whole);
    *request.uri_mut() = Uri::try_from(path)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "what follows /proxy is not a path"))?;
    let version = request.version();
    let peer = facts::peer();
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    join_cookies(headers);
    headers.insert(header::HOST, authority.clone());
    headers.append(header::VIA, via(version));
    facts::propagation().put(headers);
    if let Some(peer) = peer {
        let address = HeaderValue::try_from(peer.address.ip().to_string());
        headers.append(
            "x-forwarded-for",
            address.expect("an address is visible ASCII"),
        );
        headers.insert(
            "x-forwarded-proto",
            HeaderValue::from_static(peer.port.name()),
        );
    }
    *request.version_mut() = Version::HTTP_11;
    Ok(())
}

/// Removes what concerns the connection that it came over.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // `Connection` names more of them.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    for name in OLD_HOP_BY_HOP {
        headers.remove(name);
    }
}

/// HTTP/2 may send each cookie in a field of its own; HTTP/1.1 has them in one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() < 2 {
        return;
    }
    let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
    headers.insert(
        header::COOKIE,
        joined.expect("what joins values is a value"),
    );
}

/// RFC 9110 §7.6.3
pub(super) fn via(version: Version) -> HeaderValue {
    let number = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    };
    HeaderValue::try_from(format!("{number} {PSEUDONYM}")).expect("it is visible ASCII")
}
