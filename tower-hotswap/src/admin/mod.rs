//! The routes by which people and programs see and change what runs.
//!
//! | request | does | answers |
//! |---|---|---|
//! | `GET /snapshots` | lists the history, what is current, and the canary | 200 with an `ETag`, 304 |
//! | `GET /snapshots/current`, `GET /snapshots/{version}` | shows one | 200 with an `ETag`, 304, 404, 409 when several are meant |
//! | `GET /snapshots/{version}/content` | the text it was made from | 200, 304, 404 |
//! | `GET /snapshots/{version}/diff/{other}` | the lines by which the two differ | 200, 404 |
//! | `POST /snapshots?version=1.2.0&note=why&schema=2&stage=true` | publishes the body, or only stages it | 201 with `Location`; 409 while a canary runs; 412, 413, 422, 428 |
//! | `POST /rollback {"to": version}` | makes an earlier one current | 200, 404, 412 |
//! | `POST /canary {"snapshot": version, "percent": 5, "header": "x-user"}` | begins or changes a canary; with `"value"` instead of `"percent"` for those who ask for it | 200, 404, 409, 412, 422 |
//! | `POST /canary/promote`, `POST /canary/abort` | ends it | 200, 409 |
//! | `GET /generations` | what is in service, with its requests in flight | 200 |
//! | `GET /events` | what happens, as server-sent events | 200 |
//!
//! A `{version}` is an id, a full version, or one whose hash is cut short to eight digits or more. `If-Match` takes the
//! `ETag` of the list, which means that nothing has changed, or that of a snapshot, which means that it is
//! current; without one a publication is refused by 428, `*` publishes over anything, and a stale one is 412 (RFC 9110
//! §13.1.1). Errors are problem details (RFC 9457).
//!
//! # Security
//! Only peers and `Host`s of the loopback interface are let in, unless [`Admin::allow_remote`] says otherwise, which
//! needs a token. The peer's address has to be known, so serve the router by
//! `into_make_service_with_connect_info::<SocketAddr>()`, on a listener of its own. A token is compared
//! in constant time. Bodies are limited to 1 MiB.
//!
//! ```
//! use axum::Router;
//! use tower_hotswap::{HotSwap, Recipe, Version, admin::Admin};
//!
//! # fn build(text: &[u8]) -> Result<Router, tower_hotswap::BoxError> { Ok(Router::new()) }
//! # fn main() -> Result<(), tower_hotswap::BoxError> {
//! let (app, handle) = HotSwap::new(build(b"")?, Version::parse("1.0.0", b"")?);
//! let admin = Admin::new(handle, Recipe::new(build)).token("a long secret").router()?;
//! # drop((app, admin));
//! # Ok(())
//! # }
//! ```

mod diff;
mod entity_tag;
mod events;
mod guard;
mod problem;
mod routes;
mod view;

use std::{fmt, sync::Arc};

use axum::{
    Router, middleware,
    routing::{get, post},
};

use self::guard::Guard;
use crate::{Handle, Recipe};

/// Bytes that a body may have unless told otherwise.
const BODY_LIMIT: usize = 1 << 20;

/// Makes the admin router of a handle.
#[derive(Debug)]
pub struct Admin<T> {
    handle: Handle<T>,
    recipe: Recipe<T>,
    guard: Guard,
    body_limit: usize,
}

impl<T: Send + Sync + 'static> Admin<T> {
    /// Shows and changes what `handle` has; a body that is posted becomes a value by `recipe`.
    #[must_use]
    pub fn new(handle: Handle<T>, recipe: Recipe<T>) -> Self {
        Self {
            handle,
            recipe,
            guard: Guard::default(),
            body_limit: BODY_LIMIT,
        }
    }

    /// Asks each request for `Authorization: Bearer` and this token.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.guard.set_token(token);
        self
    }

    /// Lets in peers from everywhere, under any `Host`. Needs a [`token`](Self::token), and ought to be behind TLS.
    #[must_use]
    pub fn allow_remote(mut self) -> Self {
        self.guard.allow_remote();
        self
    }

    /// Bytes that a body may have. Default: 1 MiB.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The router.
    ///
    /// # Errors
    /// [`AdminError::RemoteWithoutToken`], [`AdminError::ShortToken`].
    pub fn router(self) -> Result<Router, AdminError> {
        self.guard.check()?;
        let guard = Arc::new(self.guard);
        let state = Arc::new(State {
            handle: self.handle,
            recipe: self.recipe,
            body_limit: self.body_limit,
        });
        Ok(Router::new()
            .route("/snapshots", get(routes::list).post(routes::publish))
            .route("/snapshots/{version}", get(routes::show))
            .route("/snapshots/{version}/content", get(routes::content))
            .route("/snapshots/{version}/diff/{other}", get(routes::diff))
            .route("/rollback", post(routes::rollback))
            .route("/canary", post(routes::canary))
            .route("/canary/promote", post(routes::promote))
            .route("/canary/abort", post(routes::abort))
            .route("/generations", get(routes::generations))
            .route("/events", get(events::stream))
            .fallback(problem::no_such_route)
            .method_not_allowed_fallback(problem::no_such_method)
            .with_state(state)
            .layer(middleware::from_fn_with_state(guard, guard::admit)))
    }
}

/// What the routes work with.
struct State<T> {
    handle: Handle<T>,
    recipe: Recipe<T>,
    body_limit: usize,
}

/// Why an admin router was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminError {
    /// Peers from everywhere were to be let in without a token.
    RemoteWithoutToken,
    /// The token can be guessed.
    ShortToken {
        /// Its bytes.
        length: usize,
    },
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoteWithoutToken => {
                f.write_str("an admin router for remote peers needs a token: set one, or stay on the loopback interface")
            }
            Self::ShortToken { length } => write!(
                f,
                "the admin token has {length} bytes; it needs {} at least, from a random source",
                guard::LEAST_TOKEN
            ),
        }
    }
}

impl std::error::Error for AdminError {}
