//! What others may ask of a connection: whether any of its streams is open.

use std::sync::{Arc, TryLockError, Weak};

use http::Request;

use super::{
    connection::{Connection, Seat},
    current::{self, StreamPriority},
    identity,
};

/// The streams of a connection that a [`PriorityStream`](super::PriorityStream) keeps.
#[derive(Debug)]
pub(crate) struct Streams(Weak<Connection>);

impl Streams {
    /// Those of the connection that a request came on, if it came through a `PriorityStream`.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        let noted = request.extensions().get::<StreamPriority>();
        let noted = noted.map(|stream| stream.seat().clone());
        if let Some(Seat { connection, .. }) = noted.or_else(current::seat) {
            return Some(Self(Arc::downgrade(&connection)));
        }
        let connection = identity::find(identity::peek(request.headers())?.key()?)?;
        Some(Self(Arc::downgrade(&connection)))
    }

    /// Whether any is open: its response has not left as a whole. Never waits; while somebody changes them, some are.
    pub(crate) fn any(&self) -> bool {
        self.0.upgrade().is_some_and(|connection| {
            let state = match connection.try_lock() {
                Ok(state) => state,
                Err(TryLockError::Poisoned(state)) => state.into_inner(),
                Err(TryLockError::WouldBlock) => return true,
            };
            state.scheduler.open_streams() > 0
        })
    }

    #[cfg(test)]
    pub(crate) fn of_connection(connection: &Arc<Connection>) -> Self {
        Self(Arc::downgrade(connection))
    }
}
