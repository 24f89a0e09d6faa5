//! Versioned, atomic, lossless reload of services, layers, configuration and TLS for [tower] and [axum].
//!
//! A server's routes, limits and settings change while it runs. Here the change is one store of one pointer: every
//! request is answered by exactly one generation, an open connection notices nothing, and it is known when the last
//! request of an old generation ended.
//!
//! ```text
//!   publish ─► build ─► checks ─► history ──┐ compare and swap
//!                                           ▼
//!   request ─► HotSwap ─► table { primary, canary } ─► generation ─► response body
//!                                                      counted in ──► counted out: drained
//! ```
//!
//! - [`HotSwap`] is the service, [`Handle`] replaces what is in it: [`publish`](Handle::publish),
//!   [`rollback`](Handle::rollback), [`canary`](Handle::canary), [`drained`](Handle::drained).
//! - [`HotLayer`] replaces middleware around a service that stays, [`HotConfig`] typed configuration; with the same handle.
//! - A [`Snapshot`] is immutable and has a [`Version`]: a semantic version and the hash of its content.
//! - [`checks`] say what a candidate has to pass before it may take requests.
//! - A [`source`] is followed: a file, a URL, a signal, or one of your own.
//! - [`InFlight`] lets what outlives its response, a WebSocket say, count as in flight.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use tower_hotswap::{Draft, HotSwap, Version};
//!
//! let routes = |text: &'static str| Router::new().route("/", get(move || async move { text }));
//! let (app, handle) = HotSwap::new(routes("one"), Version::parse("1.0.0", b"one")?);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let server = tokio::spawn(async { axum::serve(listener, app.into_make_service()).await });
//!
//! let draft = Draft::new(Version::parse("1.1.0", b"two")?, routes("two")).note("a better text");
//! let published = handle.publish(draft).await?;
//! published.drained().await; // the last request of "one" ended
//! handle.rollback(published.replaced())?;
//! # server.abort();
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # When not to use it
//!
//! For a new program text, a new listening address or another number of workers: that takes a new process. For a value
//! that only tasks of your own read, `arc_swap::ArcSwap` is enough.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `axum` | no | `HotSwap` under `axum::serve`; extractors of [`InFlight`] and of a [`HotConfig`]'s version; the router `admin` |
//! | `notify` | no | `source::FileSource`: files and folders that are watched |
//! | `signal` | no | `source::HangupSource`: files that are read again at SIGHUP |
//! | `rustls` | no | module `tls`: certificates, ticket keys and sessions that change while it serves; a listener with `axum` |
//!
//! [tower]: https://docs.rs/tower
//! [axum]: https://docs.rs/axum

#![forbid(unsafe_code)]

#[cfg(feature = "axum")]
pub mod admin;
mod automatic;
#[cfg(feature = "axum")]
mod axum;
mod builder;
mod canary;
mod changes;
pub mod checks;
mod config;
mod draft;
mod error;
mod event;
mod generation;
mod handle;
mod in_flight;
mod layer;
#[cfg(all(test, hotswap_loom))]
mod model;
mod recipe;
mod review;
mod service;
mod snapshot;
pub mod source;
mod store;
mod sync;
#[cfg(feature = "rustls")]
pub mod tls;
mod version;

pub use automatic::Automatic;
#[cfg(feature = "axum")]
pub use axum::{AxumHotSwap, AxumResponseFuture, Hot, NotHotSwapped};
pub use builder::Builder;
pub use canary::Canary;
pub use changes::Changes;
pub use checks::Check;
pub use config::{ConfigReader, HotConfig, PinConfig, PinConfigLayer};
pub use draft::{Draft, Expected};
pub use error::{BoxError, Stage, SwapError};
pub use event::Event;
pub use handle::{Drained, Handle, InService, Published, Role};
pub use in_flight::InFlight;
pub use layer::{HotLayer, HotLayered};
pub use recipe::Recipe;
pub use service::{HotBody, HotSwap, ResponseFuture};
pub use snapshot::{Selector, Snapshot, SnapshotInfo};
pub use version::{ContentHash, SnapshotId, Version};
