//! The connection's side: a listener and a stream that send what they recognise by `sendfile(2)`.

#[cfg(target_os = "linux")]
pub(crate) mod delivery;
mod limit;
#[cfg(feature = "axum")]
mod listener;
#[cfg(all(test, zerocopy_loom, target_os = "linux"))]
mod model;
#[cfg(target_os = "linux")]
pub(crate) mod registry;
#[cfg(target_os = "linux")]
mod slots;
mod stream;
#[cfg(target_os = "linux")]
mod sync;
pub(crate) mod turn;

#[cfg(feature = "axum")]
pub use listener::ZeroCopyListener;
pub use stream::{ZeroCopyConfig, ZeroCopyStream};
