//! The glue to axum: handlers, state, method routers and extractors on the trie.
#![forbid(unsafe_code)]

mod compat;
mod handler;
mod matched_path;
mod mint;
mod nest;
mod registrations;
mod router;
pub mod routing;
mod sees;
mod service;

pub use self::handler::AxumRoute;
pub use self::router::TrieRouter;
pub use self::service::TrieService;
