//! The HTTP router: methods, hosts, nesting and policies around the trie.
//!
//! ```text
//!  ServiceRouter<B, R>  --build-->  RouterService<B, R>   (Clone = one Arc)
//!  (collects routes,                 host table -> trie -> method table -> endpoint
//!   collects every error)                    |
//!                                            +--> 404 / fallback, 405 + Allow, HEAD, OPTIONS
//! ```
#![forbid(unsafe_code)]

mod builder;
mod dispatch;
mod draft;
mod endpoint;
mod error;
mod frozen;
mod future;
mod host;
mod layer;
mod listing;
mod matched;
mod methods;
mod options;
mod percent;
mod prefix;
mod service;
mod strip;
pub(crate) mod verbs;

pub use self::builder::ServiceRouter;
pub use self::endpoint::Route;
pub use self::error::{BuildError, RouteError, RouteErrorKind};
pub use self::future::RouteFuture;
pub use self::layer::{FallThrough, FallThroughFuture, FallThroughService, RouterLayer};
pub use self::listing::{RouteInfo, Routes};
pub use self::matched::{RouteMatch, RouteMatchIter};
pub use self::methods::IntoMethods;
pub use self::options::{Automatic, PercentPolicy, TrailingSlash};
pub use self::service::RouterService;

#[cfg(feature = "axum")]
pub(crate) use self::{
    dispatch::{StatusEndpoint, status},
    draft::{Draft, Entry, Kind},
    endpoint::{Answer, BoxAnswer, Endpoint, Sees, call_once},
    frozen::{Annotate, Frozen, Hooks},
    methods::MethodTable,
    prefix::segments,
    strip::{depth, strip},
};
