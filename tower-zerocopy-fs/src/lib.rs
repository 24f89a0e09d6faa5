//! Static files for axum and hyper.
#![deny(unsafe_code)]

mod body;
mod fs;
mod http;
mod metrics;
mod net;
#[cfg(target_os = "linux")]
mod region;
mod service;

pub use self::{
    body::Body,
    fs::policy::{Dotfiles, Symlinks},
    metrics::{Metrics, Snapshot},
    net::{ZeroCopyConfig, ZeroCopyStream},
    service::{
        Disposition, EntityTags, Listing, NoFallback, ResponseFuture, ServeFile, ServeFiles,
        SetStatus, Windows,
    },
};
#[cfg(feature = "axum")]
pub use net::ZeroCopyListener;
