//! Entity tags, and what requests say about them (RFC 9110 §8.8.3, §13.1).

use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use crate::{Expected, Handle, SnapshotId};

/// The tag of one snapshot: a snapshot never changes.
pub(super) fn of_snapshot(id: SnapshotId) -> String {
    format!("\"{id}\"")
}

/// The tag of the list. The id tells apart the same revision of two runs of a program.
pub(super) fn of_list(revision: u64, current: SnapshotId) -> String {
    format!("\"r{revision}-{current}\"")
}

/// The entries of a list of tags, quotes and weakness included.
fn entries(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    // None of our tags has a comma in it, so cutting at one cannot turn a foreign tag into ours.
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Whether `If-None-Match` names the tag, by weak comparison.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    entries(headers, header::IF_NONE_MATCH)
        .any(|entry| entry == "*" || entry.strip_prefix("W/").unwrap_or(entry) == tag)
}

/// What `If-Match` expects: `None` for anything. Compared strongly.
///
/// The tag is looked up now to know what it names; the store compares again when it changes.
pub(super) fn expected<T>(
    headers: &HeaderMap,
    handle: &Handle<T>,
) -> Result<Option<Expected>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        let detail = "`If-Match` is missing: send the `ETag` of `GET /snapshots`, or `*` to change whatever is there";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, detail));
    }
    let (revision, current) = handle.revision_and_current();
    let (list, snapshot) = (of_list(revision, current.id), of_snapshot(current.id));
    for entry in entries(headers, header::IF_MATCH) {
        if entry == "*" {
            return Ok(None);
        } else if entry == list {
            return Ok(Some(Expected::Revision(revision)));
        } else if entry == snapshot {
            return Ok(Some(Expected::Snapshot(current.id)));
        }
    }
    let detail = format!(
        "no tag of `If-Match` names what is current: the list is {list} now, and the current snapshot {snapshot}"
    );
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
}

/// As [`expected`], for changes that need no `If-Match`.
pub(super) fn expected_if_given<T>(
    headers: &HeaderMap,
    handle: &Handle<T>,
) -> Result<Option<Expected>, Problem> {
    if headers.contains_key(header::IF_MATCH) {
        expected(headers, handle)
    } else {
        Ok(None)
    }
}
