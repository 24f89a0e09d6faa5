//! Path parameters by name, without serde.

use std::{borrow::Cow, iter::Skip};

use axum::extract::path::RawPathParamsIter;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::path::{
    AxumParams, Source, axum_params, decode, deserialize,
    rejection::{FailedToDeserializePathParams, RawPathParamsRejection},
};
use crate::{RouteMatch, RouteMatchIter};

/// The parameters of the route that matched, read one by one.
///
/// It holds the match itself (reference counts of the route table and of the
/// path), so extracting it allocates nothing, and neither does reading a value,
/// unless the value contains a percent-escape. Values borrow from it.
///
/// As with axum's `RawPathParams`, whose place it takes, every value is UTF-8
/// once decoded; a request for which that is not so is refused with `400 Bad
/// Request` before the handler runs.
///
/// # Example
///
/// ```
/// use tower_trie_router::RouteParams;
///
/// // GET /files/{dir}/{name}.{extension}
/// async fn show(params: RouteParams) -> String {
///     let name = params.get("name").unwrap_or_default();
///     format!("{name}, one of {} parameters", params.iter().count())
/// }
/// ```
#[derive(Debug)]
pub struct RouteParams {
    outer: Option<AxumParams>,
    own: Option<RouteMatch>,
    shown: usize,
}

/// The name under which axum's extractor of the same use is known, so that a
/// handler can move with its `use` line alone. Values are [`Cow`]s here.
pub type RawPathParams = RouteParams;

impl RouteParams {
    /// The percent-decoded value of the parameter called `name`; the innermost
    /// one if nested routers use the name twice.
    ///
    /// Costs a walk over the parameters, and an allocation only if the value
    /// contains a percent-escape.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(value) = self.raw(name) {
            return Some(decoded(value));
        }
        let outer = self.outer_iter()?.filter(|(key, _)| *key == name);
        outer.last().map(|(_, value)| Cow::Borrowed(value))
    }

    /// The value of the parameter called `name` as the client sent it, still
    /// percent-encoded. `None` for the parameters of an outer `axum::Router`,
    /// which keeps only what it decoded.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.own.as_ref()?.get(name)
    }

    /// Names and percent-decoded values, the outer routers' first.
    pub fn iter(&self) -> RouteParamsIter<'_> {
        RouteParamsIter {
            outer: self.outer_iter(),
            own: self.source().own_iter(),
        }
    }

    /// The parameters as a `T`, as [`Path`](super::Path) makes them: for code
    /// that decides on the type after it has seen the values.
    ///
    /// # Errors
    ///
    /// As [`Path`](super::Path).
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, FailedToDeserializePathParams> {
        deserialize(self.source())
    }

    fn source(&self) -> Source<'_> {
        Source {
            outer: self.outer.as_ref(),
            own: self.own.as_ref(),
            shown: self.shown,
        }
    }

    fn outer_iter(&self) -> Option<RawPathParamsIter<'_>> {
        Some(self.outer.as_ref()?.as_ref().ok()?.iter())
    }
}

/// Decodes a value whose text was checked at extraction.
fn decoded(value: &str) -> Cow<'_, str> {
    decode("", value).unwrap_or(Cow::Borrowed(value))
}

impl<S: Send + Sync> FromRequestParts<S> for RouteParams {
    type Rejection = RawPathParamsRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Self, RawPathParamsRejection> {
        let outer = axum_params(parts).await;
        let source = Source::of(parts, outer.as_ref())?;
        source.check()?;
        let (own, shown) = (source.own.cloned(), source.shown);
        Ok(Self { outer, own, shown })
    }
}

/// `None` where no router has matched, as in a fallback.
impl<S: Send + Sync> OptionalFromRequestParts<S> for RouteParams {
    type Rejection = RawPathParamsRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, RawPathParamsRejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(params) => Ok(Some(params)),
            Err(RawPathParamsRejection::MissingPathParams(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<'a> IntoIterator for &'a RouteParams {
    type Item = (&'a str, Cow<'a, str>);
    type IntoIter = RouteParamsIter<'a>;

    fn into_iter(self) -> RouteParamsIter<'a> {
        self.iter()
    }
}

/// Iterates over [`RouteParams`].
#[derive(Debug)]
pub struct RouteParamsIter<'a> {
    outer: Option<RawPathParamsIter<'a>>,
    own: Option<Skip<RouteMatchIter<'a>>>,
}

impl<'a> Iterator for RouteParamsIter<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((name, value)) = self.outer.as_mut().and_then(Iterator::next) {
            return Some((name, Cow::Borrowed(value)));
        }
        let (name, value) = self.own.as_mut()?.next()?;
        Some((name, decoded(value)))
    }
}
