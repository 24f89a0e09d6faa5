//! Lists in pages: `?limit=20&offset=40`, with `Link` (RFC 8288) to the first, previous, next and last.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LINK;
use serde::Serialize;
use tower_pool::PooledJson;

use crate::problem::Problem;

/// Rows on a page unless `limit` says otherwise.
const DEFAULT_LIMIT: usize = 20;
/// The most rows on a page: what one request may copy under the lock.
const MAX_LIMIT: usize = 100;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    limit: usize,
    offset: usize,
}

#[derive(Serialize)]
struct Listing<'a, T> {
    items: &'a [T],
    total: usize,
    limit: usize,
    offset: usize,
}

impl Page {
    /// Takes `limit` and `offset` out of the query.
    pub(super) fn take(query: &mut BTreeMap<String, String>) -> Result<Self, Problem> {
        let mut number = |name: &str, default: usize| match query.remove(name) {
            None => Ok(default),
            Some(text) => text.parse::<usize>().map_err(|_| {
                let detail = format!("{name}={text:?} is not a whole number");
                Problem::new(StatusCode::BAD_REQUEST, detail)
            }),
        };
        let (limit, offset) = (number("limit", DEFAULT_LIMIT)?, number("offset", 0)?);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let detail = format!("limit={limit} is out of range; it goes from 1 to {MAX_LIMIT}");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        Ok(Page { limit, offset })
    }

    /// Copies the page's rows and counts all of them.
    pub(super) fn cut<R, T>(
        self,
        rows: impl Iterator<Item = R>,
        copy: impl Fn(R) -> T,
    ) -> (Vec<T>, usize) {
        let (mut items, mut total) = (Vec::new(), 0);
        for row in rows {
            if total >= self.offset && items.len() < self.limit {
                items.push(copy(row));
            }
            total += 1;
        }
        (items, total)
    }

    /// The page as JSON; `filters` are carried on in the links.
    pub(super) fn respond<T: Serialize>(
        self,
        items: &[T],
        total: usize,
        filters: &BTreeMap<String, String>,
    ) -> Response {
        let Page { limit, offset } = self;
        let listing = Listing {
            items,
            total,
            limit,
            offset,
        };
        ([(LINK, self.links(total, filters))], PooledJson(listing)).into_response()
    }

    /// Relative references: they hold wherever the list is mounted.
    fn links(self, total: usize, filters: &BTreeMap<String, String>) -> String {
        let limit = self.limit;
        let last = total.saturating_sub(1) / limit * limit;
        let mut targets = vec![("first", 0), ("last", last)];
        if self.offset > 0 {
            targets.push(("prev", self.offset.saturating_sub(limit).min(last)));
        }
        if self.offset.saturating_add(limit) < total {
            targets.push(("next", self.offset + limit));
        }
        let filters: String = filters
            .iter()
            .map(|(name, value)| format!("&{}={}", escape(name), escape(value)))
            .collect();
        let links = targets.into_iter().map(|(relation, offset)| {
            format!("<?limit={limit}&offset={offset}{filters}>; rel=\"{relation}\"")
        });
        links.collect::<Vec<_>>().join(", ")
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte as char)
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside_the_list() {
        let cases = [
            ((20, 0), 12, "first=0 last=0"),
            ((5, 0), 12, "first=0 last=10 next=5"),
            ((5, 5), 12, "first=0 last=10 prev=0 next=10"),
            ((5, 10), 12, "first=0 last=10 prev=5"),
            ((5, 3), 12, "first=0 last=10 prev=0 next=8"),
            ((5, 900), 12, "first=0 last=10 prev=10"),
            ((5, usize::MAX), 0, "first=0 last=0 prev=0"),
        ];
        for ((limit, offset), total, want) in cases {
            let links = Page { limit, offset }.links(total, &BTreeMap::new());
            let short: Vec<_> = links
                .split(", ")
                .map(|link| {
                    let (target, relation) = link.split_once(">; rel=").unwrap();
                    format!(
                        "{}={}",
                        relation.trim_matches('"'),
                        target.rsplit_once('=').unwrap().1
                    )
                })
                .collect();
            assert_eq!(
                short.join(" "),
                want,
                "limit {limit}, offset {offset}, total {total}"
            );
        }
    }

    #[test]
    fn links_carry_escaped_filters() {
        // Whatever a client calls them: a control character may not stand in a header.
        let filters = [("q", "a&b c>"), ("\u{1f}>", "1")];
        let filters = filters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let filters = BTreeMap::from(filters);
        let links = Page {
            limit: 1,
            offset: 0,
        }
        .links(1, &filters);
        assert!(
            links.starts_with("<?limit=1&offset=0&%1F%3E=1&q=a%26b%20c%3E>; rel=\"first\""),
            "{links}"
        );
    }
}
