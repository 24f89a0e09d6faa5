//! A path and method router for tower and axum on a cache-line-aligned trie.
#![cfg_attr(not(feature = "router"), no_std)]

extern crate alloc;

#[cfg(feature = "axum")]
mod axum;
mod pattern;
#[cfg(feature = "router")]
mod router;
mod trie;

#[cfg(feature = "axum")]
pub use self::axum::{
    AxumRoute, MatchedPattern, MatchedPatternMissing, Path, RawPathParams, RouteParams,
    RouteParamsIter, TrieRouter, TrieService, rejection, routing,
};
pub use self::pattern::{ConstraintError, InsertError, InsertErrorKind, InsertErrors};
#[cfg(feature = "router")]
pub use self::router::{
    Automatic, BuildError, FallThrough, FallThroughFuture, FallThroughService, IntoMethods,
    PercentPolicy, Route, RouteError, RouteErrorKind, RouteFuture, RouteInfo, RouteMatch,
    RouteMatchIter, RouterLayer, RouterService, Routes, ServiceRouter, TrailingSlash,
};
pub use self::trie::{Match, Params, ParamsIter, RouteId, Trie, TrieBuilder};
