//! Conditional requests in the order of precedence of RFC 9110 §13.2.2.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::{HeaderMap, HeaderName, header};

use super::etag::{self, Comparison};

/// The validators of the selected representation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    /// The entity tag as sent, `W/` and quotes included.
    pub(crate) etag: Option<&'a [u8]>,
    /// Last modification in whole seconds after 1970, as `Last-Modified` says it.
    pub(crate) modified: Option<u64>,
    pub(crate) now: SystemTime,
}

/// What the preconditions decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Go on; `Range` may be honoured.
    Proceed,
    /// Go on, but `If-Range` says that the client holds another version: send the whole representation.
    ProceedWhole,
    /// Status 304.
    NotModified,
    /// Status 412.
    Failed,
}

/// Evaluates all preconditions of a GET or HEAD. The validators are asked for only if there are any.
pub(crate) fn evaluate<'a>(
    headers: &HeaderMap,
    validators: impl FnOnce() -> Validators<'a>,
) -> Outcome {
    const FIELDS: [HeaderName; 5] = [
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
    ];
    // One pass over a few fields costs less than five look-ups, and most requests have none of these.
    if !headers.keys().any(|name| FIELDS.contains(name)) {
        return Outcome::Proceed;
    }
    let of = validators();
    if headers.contains_key(header::IF_MATCH) {
        if !any_tag(headers, header::IF_MATCH, of.etag, Comparison::Strong) {
            return Outcome::Failed;
        }
    } else if let (Some(limit), Some(modified)) =
        (date(headers, header::IF_UNMODIFIED_SINCE), of.modified)
        && modified > limit
    {
        return Outcome::Failed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        if any_tag(headers, header::IF_NONE_MATCH, of.etag, Comparison::Weak) {
            return Outcome::NotModified;
        }
    } else if let (Some(since), Some(modified)) =
        (date(headers, header::IF_MODIFIED_SINCE), of.modified)
        && modified <= since
    {
        return Outcome::NotModified;
    }
    match headers.get(header::IF_RANGE) {
        Some(field) if !if_range_holds(field.as_bytes(), of) => Outcome::ProceedWhole,
        _ => Outcome::Proceed,
    }
}

/// RFC 9110 §13.1.5: a strong tag equal to ours, or exactly our date where that date is a strong validator.
fn if_range_holds(field: &[u8], of: Validators<'_>) -> bool {
    let field = field.trim_ascii();
    if etag::is_tag(field) {
        return of
            .etag
            .is_some_and(|tag| etag::same(field, tag, Comparison::Strong));
    }
    match (parse_date(field), of.modified) {
        // A file changed in this very second can change again without its date showing it (§8.8.2.2).
        (Some(date), Some(modified)) => date == modified && seconds(of.now) > modified,
        _ => false,
    }
}

fn any_tag(headers: &HeaderMap, name: HeaderName, tag: Option<&[u8]>, how: Comparison) -> bool {
    headers
        .get_all(name)
        .iter()
        .any(|list| etag::list_matches(list.as_bytes(), tag, how))
}

/// A date field; several of them or an invalid one count as none (§13.1.3, §13.1.4).
fn date(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    let mut fields = headers.get_all(name).iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => parse_date(field.as_bytes()),
        _ => None,
    }
}

fn parse_date(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    httpdate::parse_http_date(text).ok().map(seconds)
}

/// Whole seconds after 1970, and 0 for what is before.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const OURS: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const OURS_850: &str = "Sunday, 06-Nov-94 08:49:37 GMT";
    const OURS_ASCTIME: &str = "Sun Nov  6 08:49:37 1994";
    const NEW: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const MODIFIED: u64 = 784_111_777;

    fn outcome(fields: &[(&str, &str)], tag: &str, age: u64) -> Outcome {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        evaluate(&headers, || Validators {
            etag: Some(tag.as_bytes()),
            modified: Some(MODIFIED),
            now: UNIX_EPOCH + Duration::from_secs(MODIFIED + age),
        })
    }

    #[test]
    fn preconditions_follow_the_order_of_precedence() {
        use Outcome::{Failed, NotModified, Proceed, ProceedWhole};
        let (a, b, weak_a) = (r#""a""#, r#""b""#, r#"W/"a""#);
        type Case<'a> = (&'a [(&'a str, &'a str)], Outcome);
        let cases: &[Case<'_>] = &[
            (&[], Proceed),
            (&[("if-match", a)], Proceed),
            (&[("if-match", "*")], Proceed),
            (&[("if-match", b)], Failed),
            (&[("if-match", weak_a)], Failed),
            (&[("if-match", b), ("if-match", a)], Proceed),
            // If-Match hides If-Unmodified-Since.
            (&[("if-match", a), ("if-unmodified-since", OLD)], Proceed),
            (&[("if-match", b), ("if-unmodified-since", NEW)], Failed),
            (&[("if-unmodified-since", OLD)], Failed),
            (&[("if-unmodified-since", OURS)], Proceed),
            (&[("if-unmodified-since", NEW)], Proceed),
            (&[("if-unmodified-since", "yesterday")], Proceed),
            (
                &[("if-unmodified-since", OLD), ("if-unmodified-since", OLD)],
                Proceed,
            ),
            (&[("if-none-match", a)], NotModified),
            (&[("if-none-match", weak_a)], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", b)], Proceed),
            // If-None-Match hides If-Modified-Since.
            (&[("if-none-match", b), ("if-modified-since", NEW)], Proceed),
            (
                &[("if-none-match", a), ("if-modified-since", OLD)],
                NotModified,
            ),
            (&[("if-modified-since", OLD)], Proceed),
            (&[("if-modified-since", OURS)], NotModified),
            (&[("if-modified-since", OURS_850)], NotModified),
            (&[("if-modified-since", OURS_ASCTIME)], NotModified),
            (&[("if-modified-since", NEW)], NotModified),
            (&[("if-modified-since", "0")], Proceed),
            // 412 before 304.
            (&[("if-match", b), ("if-none-match", a)], Failed),
            (&[("if-match", a), ("if-none-match", a)], NotModified),
            (
                &[("if-unmodified-since", OLD), ("if-none-match", a)],
                Failed,
            ),
            (
                &[("if-unmodified-since", OLD), ("if-modified-since", NEW)],
                Failed,
            ),
            // If-Range comes last.
            (&[("if-range", a)], Proceed),
            (&[("if-range", b)], ProceedWhole),
            (&[("if-range", weak_a)], ProceedWhole),
            (&[("if-range", OURS)], Proceed),
            (&[("if-range", OLD)], ProceedWhole),
            (&[("if-range", NEW)], ProceedWhole),
            (&[("if-range", "garbage")], ProceedWhole),
            (&[("if-range", b), ("if-none-match", a)], NotModified),
        ];
        for (fields, expected) in cases {
            assert_eq!(outcome(fields, a, 60), *expected, "{fields:?}");
        }
    }

    #[test]
    fn weak_validators_never_validate_a_range() {
        assert_eq!(
            outcome(&[("if-range", r#"W/"a""#)], r#"W/"a""#, 60),
            Outcome::ProceedWhole
        );
        assert_eq!(
            outcome(&[("if-range", r#""a""#)], r#"W/"a""#, 60),
            Outcome::ProceedWhole
        );
        assert_eq!(
            outcome(&[("if-range", OURS)], r#""a""#, 0),
            Outcome::ProceedWhole
        );
    }
}
