//! A path and method router for tower and axum on a cache-line-aligned trie.
//!
//! Three layers, each useful without the next:
//!
//! ```text
//!  Trie<T>                  pattern -> T; no_std with alloc, no HTTP
//!    └─ ServiceRouter       methods, hosts, nesting, policies; routes to tower services
//!         └─ TrieRouter     routes to axum's handlers, method routers and services
//! ```
//!
//! # When to use it
//!
//! - Where patterns are needed that axum 0.8 does not know: `/files/{name}.json`, `/v{major}.{minor}`,
//!   `/users/{id:u64}`, `/archive/{year}/{month?}`.
//! - Where routing shows in a profile: a look-up allocates nothing and reads about one cache line a
//!   segment, and around a plain handler nothing is allocated but the handler's own future.
//! - Where a fault in the routes has to be an error that lists all of them, and not a panic at the
//!   first; where routes have to be listed, routed by host, or told apart by a trailing slash.
//!
//! # When not
//!
//! - An application whose handlers wait for a database will not notice the difference in speed.
//! - A catch-all in the middle of a pattern, case-insensitive paths and reversed URLs are not offered.
//! - Middleware that is written against `axum::Router` itself (and not against tower) stays there:
//!   put the trie in front of it with [`TrieService::into_layer`].
//!
//! # An axum application
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Json, extract::State};
//! use tower_trie_router::{Path, TrieRouter, routing::get};
//!
//! #[derive(Clone)]
//! struct Shop { name: &'static str }
//!
//! async fn index(State(shop): State<Shop>) -> &'static str { shop.name }
//! async fn book(Path(id): Path<u64>) -> Json<u64> { Json(id) }
//! async fn cover(Path((id, width)): Path<(u64, u16)>) -> Json<(u64, u16)> { Json((id, width)) }
//!
//! let books = TrieRouter::new()
//!     .route("/{id:u64}", get(book).delete(|| async {}))
//!     .get("/{id:u64}-{width:u16}.png", cover);
//! let app = TrieRouter::new()
//!     .get("/", index)
//!     .nest("/books", books)
//!     .with_state(Shop { name: "by the river" })
//!     .build();
//!
//! assert_eq!(
//!     app.to_string(),
//!     "\
//! *
//! ├─ /  GET
//! └─ /books
//!    ├─ /{id:u64}  GET,DELETE
//!    └─ /{id:u64}-{width:u16}.png  GET
//! ");
//! # }
//! ```
//!
//! The result is a [`tower_service::Service`]: `axum::serve(listener, app.into_make_service())`
//! makes it the whole application, `fallback_service` and `nest_service` a part of an
//! `axum::Router`, and [`TrieService::into_layer`] the front of one.
//!
//! axum's own `Path` and `RawPathParams` can be filled by axum's router alone. Handlers move over by
//! their `use` line ([`Path`] here takes what axum's takes); one that still names axum's is refused
//! when it is registered, or goes behind [`TrieRouter::compat`], where every extractor of axum works.
//!
//! # What a request gets
//!
//! | request | answer |
//! |---|---|
//! | path and method have an endpoint | that of the endpoint; percent-escapes are decoded in parameters only, and `%2F` never separates segments ([`PercentPolicy`]) |
//! | `HEAD` where only `GET` is | that of `GET` without its body, the length stated ([`Automatic`]) |
//! | `OPTIONS` without an endpoint | 204 and `Allow`; for `OPTIONS *` with all methods of the router |
//! | another method | 405 and `Allow`, or `method_not_allowed_fallback` |
//! | the path but for a slash at its end | 404, 308 or the route, by [`TrailingSlash`] |
//! | another path, or none (`CONNECT host:port`) | the fallback of the prefix, of the host, of the router; else 404 |
//!
//! A layer sees its requests with [`RouteMatch`] in the extensions, and axum's `MatchedPath`. What
//! nobody can see is not put there: a handler whose extractors are all known and look at neither is
//! called with the request as it came.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `router` | yes | [`ServiceRouter`] and all of HTTP; without it the trie alone, `no_std` with `alloc` |
//! | `axum` | no | [`TrieRouter`], [`routing`], [`Path`], [`RouteParams`] |
//! | `regex` | no | `{name:regex}` constraints |
#![cfg_attr(not(feature = "router"), no_std)]
#![cfg_attr(
    not(all(feature = "router", feature = "axum")),
    allow(rustdoc::broken_intra_doc_links)
)]

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

#[doc = include_str!("../docs/patterns.md")]
pub mod patterns {}
