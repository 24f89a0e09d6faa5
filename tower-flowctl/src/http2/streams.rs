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

    /// Whether any is open: its response has not left as a whole. For the connection's task, which nobody wakes again if it is
    /// told so wrongly.
    pub(crate) fn any(&self) -> bool {
        let connection = self.0.upgrade();
        connection.is_some_and(|connection| connection.lock().scheduler.open_streams() > 0)
    }

    /// As [`any`](Self::any), for whoever has others to look at. Never waits; while somebody changes them, some are.
    pub(crate) fn any_at_a_glance(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn the_connections_task_waits_for_whoever_changes_its_streams() {
        let connection = Arc::new(Connection::new(Default::default()));
        let streams = Streams::of_connection(&connection);
        assert!(!streams.any() && !streams.any_at_a_glance());
        let changed = connection.lock();
        assert!(streams.any_at_a_glance());
        thread::scope(|scope| {
            let (ready, is_ready) = mpsc::channel();
            let streams = &streams;
            let task = scope.spawn(move || {
                ready.send(()).unwrap();
                streams.any()
            });
            is_ready.recv().unwrap();
            drop(changed);
            assert!(!task.join().unwrap());
        });
    }
}
