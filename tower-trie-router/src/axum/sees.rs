//! What a handler can see of the router's traces in a request, by the names of its extractors.
//!
//! Two uses. A handler that takes axum's own `Path` or `RawPathParams` would answer every request
//! with a 500, since only axum's router can fill them: it is refused at registration. And what no
//! extractor of a handler can see is not left in the request, which saves the allocations; a name
//! that is not in the table counts as one that sees everything, so a wrong guess is impossible as
//! long as the listed names are axum's.

use std::any::type_name;

use crate::router::Sees;

const NOTHING: Sees = Sees {
    route_match: false,
    matched_path: false,
    uri: false,
};

/// Extractors by the beginning of their names, and what they see.
const KNOWN: &[(&str, Sees)] = &[
    ("axum_core::extract::private::Via", NOTHING),
    ("axum::handler::private::IntoResponseHandler", NOTHING),
    ("axum::extract::state::State<", NOTHING),
    ("axum::extract::query::Query<", NOTHING),
    ("axum::extract::raw_query::RawQuery", NOTHING),
    ("axum::extract::connect_info::ConnectInfo<", NOTHING),
    ("axum::json::Json<", NOTHING),
    ("axum::form::Form<", NOTHING),
    ("axum::extract::raw_form::RawForm", NOTHING),
    ("axum::extract::multipart::Multipart", NOTHING),
    ("alloc::string::String", NOTHING),
    ("bytes::bytes::Bytes", NOTHING),
    ("axum_core::body::Body", NOTHING),
    ("http::method::Method", NOTHING),
    ("http::version::Version", NOTHING),
    ("http::header::map::HeaderMap", NOTHING),
    (
        "axum::extract::matched_path::MatchedPath",
        Sees {
            matched_path: true,
            ..NOTHING
        },
    ),
    (
        "tower_trie_router::axum::",
        Sees {
            route_match: true,
            ..NOTHING
        },
    ),
    (
        "http::uri::Uri",
        Sees {
            uri: true,
            ..NOTHING
        },
    ),
];

/// What a handler with the extractors `T` can see.
pub(crate) fn handler<H, T>() -> Sees {
    // A layered handler shows its request to the layer.
    if type_name::<H>().starts_with("axum::handler::Layered<") {
        return Sees::ALL;
    }
    named(type_name::<T>())
}

fn named(name: &str) -> Sees {
    let parts = match name.strip_prefix('(') {
        Some(tuple) => tuple.strip_suffix(')').unwrap_or(tuple),
        None => match generic(name) {
            Some(inner) => inner,
            None => {
                let known = KNOWN.iter().find(|(start, _)| name.starts_with(start));
                return known.map_or(Sees::ALL, |(_, sees)| *sees);
            }
        },
    };
    // `Handler<()>` is a method router's, whose handlers are hidden.
    if name == "()" {
        return Sees::ALL;
    }
    parts_of(parts)
        .map(named_or_unit)
        .fold(NOTHING, |all, one| Sees {
            route_match: all.route_match | one.route_match,
            matched_path: all.matched_path | one.matched_path,
            uri: all.uri | one.uri,
        })
}

fn named_or_unit(name: &str) -> Sees {
    if name == "()" { NOTHING } else { named(name) }
}

/// The extractor of axum that only axum's router can fill, if a handler with the extractors `T`
/// takes one.
pub(crate) fn axum_path<T>() -> Option<String> {
    axum_path_named(type_name::<T>())
}

fn axum_path_named(name: &str) -> Option<String> {
    let inner = match name.strip_prefix('(') {
        Some(tuple) => tuple.strip_suffix(')').unwrap_or(tuple),
        None => match generic(name) {
            Some(inner) => inner,
            None => {
                let shown = name.replace("axum::extract::path::", "axum::extract::");
                return name.starts_with("axum::extract::path::").then_some(shown);
            }
        },
    };
    parts_of(inner).find_map(axum_path_named)
}

/// What is inside `Option<..>` or `Result<.., E>`, which extract what is inside.
fn generic(name: &str) -> Option<&str> {
    let inner = ["core::option::Option<", "core::result::Result<"];
    let inner = inner.iter().find_map(|start| name.strip_prefix(start))?;
    let inner = inner.strip_suffix('>').unwrap_or(inner);
    parts_of(inner).next()
}

/// The parts of a list of types.
fn parts_of(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let mut previous = ' ';
    list.split(move |character| {
        match character {
            '<' | '(' | '[' => depth += 1,
            // The arrow of a function's type closes nothing.
            '>' if previous == '-' => {}
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        previous = character;
        character == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        Json,
        extract::{MatchedPath, OriginalUri, Path, Query, RawPathParams, Request, State},
        handler::Handler,
        http::{Method, Uri},
    };

    fn of<H: Handler<T, ()>, T: 'static>(_: &H) -> (Sees, Option<String>) {
        (handler::<H, T>(), axum_path::<T>())
    }

    #[test]
    fn handlers_are_known_by_their_extractors() {
        let nothing = (NOTHING, None);
        assert_eq!(of(&(|| async {})), nothing);
        assert_eq!(of(&"constant"), nothing);
        assert_eq!(
            of(&(|_: State<()>, _: Query<Vec<(String, String)>>, _: String| async {})),
            nothing
        );
        assert_eq!(of(&(|_: Method, _: Json<Vec<u8>>| async {})), nothing);
        assert!(of(&(|_: Option<MatchedPath>| async {})).0.matched_path);
        assert!(of(&(|_: Uri| async {})).0.uri);
        assert_eq!(of(&(|_: OriginalUri| async {})), (Sees::ALL, None));
        assert_eq!(of(&(|_: Request| async {})), (Sees::ALL, None));
        assert_eq!(of(&(|_: Method, _: Request| async {})), (Sees::ALL, None));
    }

    #[test]
    fn axums_path_is_found_wherever_it_hides() {
        let found = of(&(|_: Method, _: Path<(u32, String)>| async {})).1;
        assert_eq!(
            found.as_deref(),
            Some("axum::extract::Path<(u32, alloc::string::String)>")
        );
        assert!(of(&(|_: RawPathParams| async {})).1.is_some());
        assert!(of(&(|_: Option<Path<u32>>| async {})).1.is_some());
        assert!(of(&(|_: (Method, Path<u32>)| async {})).1.is_some());
        assert!(
            of(&(|_: Query<Vec<(String, String)>>| async {}))
                .1
                .is_none()
        );
    }

    #[test]
    fn a_layered_handler_sees_everything() {
        let handler = (|| async {}).layer(axum::Extension(1_u8));
        assert_eq!(of(&handler).0, Sees::ALL);
    }
}
