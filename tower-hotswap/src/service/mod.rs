//! A service that can be replaced while it serves.

mod body;
mod future;
mod hot_swap;

pub use self::{body::HotBody, future::ResponseFuture, hot_swap::HotSwap};
