//! Path parameters, deserialized.
//!
//! ```text
//!  RouteMatch (pattern + path) --decode--> Captures --serde--> T
//!   names, raw values          only at '%'  on the   no copy but
//!   read lazily                             stack    what T owns
//! ```

mod captures;
mod de;
pub mod rejection;
mod source;
mod value;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use serde::de::DeserializeOwned;

pub(super) use self::captures::decode;
pub(crate) use self::source::OwnParamsShown;
pub(super) use self::source::{AxumParams, Source, axum_params};

use self::{
    captures::Captures,
    de::{Arity, PathDeserializer},
    rejection::{ErrorKind, FailedToDeserializePathParams, InvalidUtf8InPathParam, PathRejection},
};

/// The path's parameters as a `T`: the drop-in for `axum::extract::Path`.
///
/// Moving a handler from an `axum::Router` to this crate's router changes one
/// line, the `use`. Types, texts of rejections and status codes are the same;
/// values are percent-decoded and must then be UTF-8 (`400 Bad Request`
/// otherwise). In a handler that an `axum::Router` calls, this `Path` reads
/// axum's own parameters, so that handlers shared by both kinds of routes need
/// only one of the two types.
///
/// | `T` | takes |
/// |---|---|
/// | integer, float, `bool`, `char`, `String`, enum of unit variants, any type that deserializes from a string | the only parameter |
/// | tuple, tuple struct | all parameters, by position |
/// | struct, `HashMap<String, _>`, other maps | parameters by name; a struct ignores those it has no field for |
/// | `Vec<V>` | all values |
/// | `Vec<(String, V)>` | all names and values |
/// | `Option<V>`, or a last tuple element or field of that type | an optional parameter, such as `{page?}` |
///
/// Parameters of outer routers come first.
///
/// The path that was matched is kept with the match, so a middleware that
/// rewrites the request's URI between router and handler changes nothing here.
///
/// # `Option<Path<T>>`
///
/// `None` on a route without parameters, as with axum.
///
/// # Cost
///
/// No allocation but those `T` makes, and one for each value that contains a
/// percent-escape. A route with more than eight parameters costs one more.
///
/// # Example
///
/// ```
/// use serde::Deserialize;
/// use tower_trie_router::Path;
///
/// // GET /users/{user}/repos/{repo}
/// async fn by_position(Path((user, repo)): Path<(u64, String)>) -> String {
///     format!("{user}/{repo}")
/// }
///
/// #[derive(Deserialize)]
/// struct Repository {
///     user: u64,
///     repo: String,
/// }
///
/// async fn by_name(Path(Repository { user, repo }): Path<Repository>) -> String {
///     format!("{user}/{repo}")
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path<T>(pub T);

impl<T> std::ops::Deref for Path<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::ops::DerefMut for Path<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, PathRejection> {
        let outer = axum_params(parts).await;
        let source = Source::of(parts, outer.as_ref())?;
        Ok(Self(deserialize(source)?))
    }
}

impl<T, S> OptionalFromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = PathRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, PathRejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(path) => Ok(Some(path)),
            Err(PathRejection::FailedToDeserializePathParams(error))
                if matches!(
                    error.kind(),
                    ErrorKind::WrongNumberOfParameters { got: 0, .. }
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Deserializes a `T` from the parameters of `source`.
pub(super) fn deserialize<T: DeserializeOwned>(
    source: Source<'_>,
) -> Result<T, FailedToDeserializePathParams> {
    let mut buffer = Vec::new();
    let mut captures = Captures::new();
    collect(source, &mut captures, &mut buffer)?;
    let arity = if source.ends_in_optional() {
        Arity::TrailingOptional
    } else {
        Arity::Exact
    };
    T::deserialize(PathDeserializer::new(captures.as_slice(), arity)).map_err(Into::into)
}

/// Apart from [`deserialize`], so that it is compiled once for all target types.
fn collect<'a>(
    source: Source<'a>,
    captures: &mut Captures<'a>,
    buffer: &'a mut Vec<u8>,
) -> Result<(), FailedToDeserializePathParams> {
    source
        .collect(captures)
        .and_then(|decoded| captures.decode(decoded, buffer))
        .map_err(|InvalidUtf8InPathParam { key }| {
            FailedToDeserializePathParams::new(ErrorKind::InvalidUtf8InPathParam { key })
        })
}

#[cfg(test)]
mod tests;
