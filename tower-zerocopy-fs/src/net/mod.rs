//! The connection's side: a listener and a stream that send what they recognise by `sendfile(2)`.

mod limit;
#[cfg(feature = "axum")]
mod listener;
#[cfg(target_os = "linux")]
pub(crate) mod registry;
mod stream;
pub(crate) mod turn;

#[cfg(feature = "axum")]
pub use listener::ZeroCopyListener;
pub use stream::{ZeroCopyConfig, ZeroCopyStream};
