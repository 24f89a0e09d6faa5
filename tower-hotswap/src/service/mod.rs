//! A service that can be replaced while it serves.

mod body;
mod future;
mod hot_swap;
mod switch;

pub use self::{body::HotBody, future::ResponseFuture, hot_swap::HotSwap};
pub(crate) use switch::{Provide, Switch};
