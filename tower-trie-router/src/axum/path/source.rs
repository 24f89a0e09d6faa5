//! Where a request's parameters come from.

use std::iter::Skip;

use axum::extract::{RawPathParams, rejection::RawPathParamsRejection as AxumRejection};
use axum_core::extract::FromRequestParts;
use http::{Extensions, request::Parts};

use super::{
    captures::{Captures, decode},
    rejection::{InvalidUtf8InPathParam, MissingPathParams},
};
use crate::{RouteMatch, RouteMatchIter};

/// What an `axum::Router` left in the request: its parameters, decoded, or the
/// name of one that is not UTF-8. `None` if no such router matched.
pub(crate) type AxumParams = Result<RawPathParams, InvalidUtf8InPathParam>;

/// Reads [`AxumParams`]; a look-up in the extensions where there are none.
pub(crate) async fn axum_params(parts: &mut Parts) -> Option<AxumParams> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(params) => Some(Ok(params)),
        Err(AxumRejection::InvalidUtf8InPathParam(error)) => {
            let text = error.body_text();
            let key = text.split('`').nth(1).unwrap_or_default().to_owned();
            Some(Err(InvalidUtf8InPathParam { key }))
        }
        Err(_) => None,
    }
}

/// The parameters of a request: those of an outer `axum::Router` first, then
/// those of this crate's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) outer: Option<&'a AxumParams>,
    pub(crate) own: Option<&'a RouteMatch>,
    /// How many parameters of `own` are among `outer` already.
    pub(crate) shown: usize,
}

/// An extension that says how many parameters of the request's [`RouteMatch`] an `axum::Router`
/// was shown too, which left them among its own.
///
/// Set where a leaf is such a router: there both describe the same match.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnParamsShown(pub(crate) usize);

impl OwnParamsShown {
    /// Notes in `extensions` that an `axum::Router` is about to see the parameters of the match,
    /// unless it sees only those of an inner router.
    pub(crate) fn insert_all(extensions: &mut Extensions) {
        let before = extensions.get::<Self>().map_or(0, |shown| shown.0);
        if let Some(matched) = extensions.get::<RouteMatch>() {
            let outer = matched.outer_len();
            if outer <= before {
                let all = outer + matched.own_params().count();
                extensions.insert(Self(all));
            }
        }
    }
}

impl<'a> Source<'a> {
    pub(crate) fn of(
        parts: &'a Parts,
        outer: Option<&'a AxumParams>,
    ) -> Result<Self, MissingPathParams> {
        let own = parts.extensions.get::<RouteMatch>();
        if own.is_none() && outer.is_none() {
            return Err(MissingPathParams);
        }
        let shown = outer.and_then(|_| parts.extensions.get::<OwnParamsShown>());
        let shown = shown.map_or(0, |shown| shown.0);
        Ok(Self { outer, own, shown })
    }

    /// Whether the matched pattern ends in an optional parameter.
    pub(crate) fn ends_in_optional(self) -> bool {
        self.own.is_some_and(|own| {
            let pattern = own.pattern();
            pattern.ends_with("?}") && !pattern.ends_with("?}}")
        })
    }

    /// Names and raw values of the parameters that are not among the outer ones.
    pub(crate) fn own_iter(self) -> Option<Skip<RouteMatchIter<'a>>> {
        Some(self.own?.iter().skip(self.shown))
    }

    /// Whether every value is UTF-8 once decoded.
    pub(crate) fn check(self) -> Result<(), InvalidUtf8InPathParam> {
        if let Some(Err(error)) = self.outer {
            return Err(error.clone());
        }
        for (name, value) in self.own_iter().into_iter().flatten() {
            decode(name, value)?;
        }
        Ok(())
    }

    /// Adds all parameters to `captures`; returns how many of them, from the
    /// first on, are decoded already.
    pub(super) fn collect(
        self,
        captures: &mut Captures<'a>,
    ) -> Result<usize, InvalidUtf8InPathParam> {
        let decoded = match self.outer {
            Some(Ok(params)) => {
                params.iter().for_each(|param| captures.push(param));
                captures.as_slice().len()
            }
            Some(Err(error)) => return Err(error.clone()),
            None => 0,
        };
        if let Some(own) = self.own {
            let mut shown = self.shown;
            own.for_each(|param| match shown.checked_sub(1) {
                Some(left) => shown = left,
                None => captures.push(param),
            });
        }
        Ok(decoded)
    }
}
