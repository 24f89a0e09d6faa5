//! A service that can be replaced while it serves.

mod armed;
mod body;
mod future;
mod hot_swap;
mod port;
mod switch;

pub(crate) use self::{
    armed::Armed,
    port::{Port, Ports},
    switch::{Provide, Switch},
};
pub use self::{body::HotBody, future::ResponseFuture, hot_swap::HotSwap};
