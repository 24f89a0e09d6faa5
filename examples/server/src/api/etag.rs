//! Conditional requests (RFC 9110 §13) on a row's revision.

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::problem::Problem;
use crate::store::Row;

/// The strong entity tag of a row.
pub(super) fn of<T>(row: &Row<T>) -> String {
    format!("\"{}-{}\"", row.id, row.revision)
}

/// Whether `If-None-Match` says that the client has this revision (weak comparison, §13.1.2).
pub(super) fn is_fresh<T>(headers: &HeaderMap, row: &Row<T>) -> bool {
    tags(headers, IF_NONE_MATCH)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == of(row))
}

/// 412 unless `If-Match` is absent or names this revision (strong comparison, §13.1.1).
pub(super) fn may_change<T>(headers: &HeaderMap, row: &Row<T>) -> Result<(), Problem> {
    if !headers.contains_key(IF_MATCH)
        || tags(headers, IF_MATCH).any(|tag| tag == "*" || tag == of(row))
    {
        return Ok(());
    }
    let detail = format!("If-Match does not name the current revision, {}", of(row));
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
}

fn tags(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}
