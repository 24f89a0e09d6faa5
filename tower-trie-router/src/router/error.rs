//! Why a router could not be built.

use std::fmt;

use super::methods::MOST_EXTENSIONS;
use crate::InsertError;

/// Everything that was wrong with a router's routes, in the order of registration.
///
/// # Example
///
/// ```
/// use tower_trie_router::ServiceRouter;
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # #[derive(Clone)] struct Page;
/// # impl tower_service::Service<Request<String>> for Page {
/// #     type Response = Response<String>; type Error = Infallible;
/// #     type Future = std::future::Ready<Result<Response<String>, Infallible>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> { std::task::Poll::Ready(Ok(())) }
/// #     fn call(&mut self, _: Request<String>) -> Self::Future { std::future::ready(Ok(Response::new(String::new()))) }
/// # }
/// # let page = Page;
///
/// let error = ServiceRouter::<String, String>::new()
///     .get_service("/users/{id}", page.clone())
///     .get_service("/users/{name}", page.clone())
///     .get_service("no-slash", page)
///     .try_build()
///     .unwrap_err();
/// assert_eq!(error.errors().len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct BuildError {
    errors: Vec<RouteError>,
}

impl BuildError {
    pub(crate) fn new(errors: Vec<RouteError>) -> Self {
        Self { errors }
    }

    /// Each fault, in the order of registration; never empty.
    pub fn errors(&self) -> &[RouteError] {
        &self.errors
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.errors.as_slice() {
            return only.fmt(f);
        }
        write!(f, "{} faults in the routes", self.errors.len())?;
        for (number, error) in self.errors.iter().enumerate() {
            write!(f, "\n{:>3}. {error}", number + 1)?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.errors.first().map(|error| error as _)
    }
}

/// One fault in a router's routes.
#[derive(Debug, Clone)]
pub struct RouteError {
    pattern: String,
    kind: RouteErrorKind,
}

impl RouteError {
    pub(crate) fn new(pattern: impl Into<String>, kind: RouteErrorKind) -> Self {
        Self {
            pattern: pattern.into(),
            kind,
        }
    }

    /// The pattern (or the prefix, or the host) the registration named.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// What was wrong.
    pub fn kind(&self) -> &RouteErrorKind {
        &self.kind
    }
}

/// What was wrong with a registration.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RouteErrorKind {
    /// The pattern is malformed, or no order separates it from one that is already there.
    Pattern(InsertError),
    /// The pattern already has an endpoint for this method (`*` for "any method").
    MethodTaken {
        /// The method in question.
        method: String,
    },
    /// The registration named no method at all.
    NoMethod,
    /// The pattern has endpoints for more than 200 methods beside the nine standard ones.
    TooManyMethods,
    /// A prefix to nest at is empty, `/`, does not start with `/`, or ends in a catch-all or an
    /// optional segment.
    Prefix {
        /// Which rule was broken, and what to do instead.
        reason: &'static str,
    },
    /// A host pattern is malformed.
    Host {
        /// What is wrong with it.
        reason: String,
    },
    /// Both of two merged routers have a fallback for the same prefix.
    FallbackTaken,
    /// `route_layer` was called before any route was added, where it would do nothing.
    NothingToLayer,
    /// A handler takes `axum::extract::Path` or `RawPathParams`, which only axum's own router can
    /// fill.
    AxumPath {
        /// The methods it was registered for.
        method: String,
        /// The extractor as the compiler names it.
        extractor: String,
    },
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, kind } = self;
        match kind {
            RouteErrorKind::Pattern(error) => write!(f, "route `{pattern}`: {error}"),
            RouteErrorKind::MethodTaken { method } if method == "*" => write!(
                f,
                "route `{pattern}` already has an endpoint for any method; a pattern takes one"
            ),
            RouteErrorKind::MethodTaken { method } => write!(
                f,
                "route `{pattern}` already has an endpoint for {method}; a pattern takes one for each method"
            ),
            RouteErrorKind::NoMethod => write!(
                f,
                "route `{pattern}` was registered for no method; name one, or use `any`"
            ),
            RouteErrorKind::TooManyMethods => write!(
                f,
                "route `{pattern}` has endpoints for more than {MOST_EXTENSIONS} extension methods; register the rest by `any`"
            ),
            RouteErrorKind::Prefix { reason } => write!(f, "cannot nest at `{pattern}`: {reason}"),
            RouteErrorKind::Host { reason } => write!(f, "host `{pattern}`: {reason}"),
            RouteErrorKind::FallbackTaken => write!(
                f,
                "both routers have a fallback for `{pattern}`; call `reset_fallback` on the one to discard"
            ),
            RouteErrorKind::NothingToLayer => write!(
                f,
                "`route_layer` before any route does nothing; add the routes first, or use `layer`"
            ),
            RouteErrorKind::AxumPath { method, extractor } => write!(
                f,
                "handler for `{method} {pattern}` takes `{extractor}`, which only axum's router can fill; \
                 use `tower_trie_router::Path` or `RouteParams`, or register the handler with `.compat()`"
            ),
        }
    }
}

impl std::error::Error for RouteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            RouteErrorKind::Pattern(error) => Some(error),
            _ => None,
        }
    }
}
