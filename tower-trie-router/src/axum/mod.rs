//! The glue to axum: handlers, state, method routers and extractors on the trie.
#![forbid(unsafe_code)]

mod compat;
mod handler;
mod matched_path;
mod matched_pattern;
mod mint;
mod nest;
mod path;
mod registrations;
mod route;
mod route_params;
mod router;
pub mod routing;
mod sees;
mod service;

pub use self::{
    matched_pattern::{MatchedPattern, MatchedPatternMissing},
    path::{Path, rejection},
    route::AxumRoute,
    route_params::{RawPathParams, RouteParams, RouteParamsIter},
    router::TrieRouter,
    service::TrieService,
};
