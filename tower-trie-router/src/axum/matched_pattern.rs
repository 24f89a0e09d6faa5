//! The pattern of the route that matched.

use std::{convert::Infallible, error::Error, fmt};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::RouteMatch;

/// The pattern of the route that matched, as it was registered, with the
/// prefixes it is nested under: `/api/files/{name}.json`.
///
/// axum's own `MatchedPath` is set too, where axum accepts the pattern; this
/// one exists for every route, also for patterns that axum's router does not
/// know, such as `/files/{name}.json`. It clones a reference count.
///
/// # Example
///
/// ```
/// use tower_trie_router::MatchedPattern;
///
/// async fn label(pattern: MatchedPattern) -> String {
///     format!("route=\"{}\"", pattern.as_str())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct MatchedPattern(RouteMatch);

impl MatchedPattern {
    /// The text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.pattern()
    }
}

impl fmt::Display for MatchedPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MatchedPattern {
    type Rejection = MatchedPatternMissing;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Self, MatchedPatternMissing> {
        let matched = parts.extensions.get::<RouteMatch>();
        matched.cloned().map(Self).ok_or(MatchedPatternMissing)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for MatchedPattern {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<RouteMatch>().cloned().map(Self))
    }
}

/// No route of this crate's router has matched the request, as in a fallback.
#[derive(Debug, Default, Clone, Copy)]
#[non_exhaustive]
pub struct MatchedPatternMissing;

impl fmt::Display for MatchedPatternMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "No matched pattern found for the request: no route of a `tower_trie_router` has \
             matched it. Take `Option<MatchedPattern>` where fallbacks are meant too",
        )
    }
}

impl Error for MatchedPatternMissing {}

impl IntoResponse for MatchedPatternMissing {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}
