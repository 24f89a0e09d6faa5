//! Where the requests of an HTTP/2 connection run.
//!
//! hyper hands each stream's future to its executor, which usually spawns a task. The response then crosses from that
//! task to the connection's, which costs a wake-up and often another core. Run within the connection's own
//! task, a small request costs a good deal less.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

/// Where the handlers of an HTTP/2 connection run. HTTP/1 handlers always run in their connection's task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exec {
    /// In the task of the connection, the default. Handlers of one connection then share a thread: one that computes for
    /// long without awaiting delays the others *of its connection*. Let such work run under `spawn_blocking`.
    #[default]
    Local,
    /// Each in a task of its own, as hyper does it. For handlers that compute.
    Spawn,
}

/// A handler's future.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// hyper's executor for one connection.
#[derive(Clone)]
pub(super) enum Executor {
    Local(Arc<Arrivals>),
    Spawn,
}

/// Handlers that have arrived and wait for [`Driver`](super::driver::Driver).
#[derive(Default)]
pub(super) struct Arrivals {
    /// Whether there are any, which is asked more often than there are.
    any: AtomicBool,
    list: Mutex<Vec<Task>>,
}

impl Executor {
    pub(super) fn new(exec: Exec) -> Self {
        match exec {
            Exec::Local => Self::Local(Arc::default()),
            Exec::Spawn => Self::Spawn,
        }
    }

    /// Moves what has arrived into a list, which is empty.
    pub(super) fn arrivals(&self, list: &mut Vec<Task>) {
        if let Self::Local(arrived) = self {
            let mut arrivals = lock(&arrived.list);
            std::mem::swap(&mut *arrivals, list);
            arrived.any.store(false, SeqCst);
        }
    }

    pub(super) fn has_arrivals(&self) -> bool {
        match self {
            Self::Local(arrived) => arrived.any.load(SeqCst),
            Self::Spawn => false,
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local(_) => "Local",
            Self::Spawn => "Spawn",
        })
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        match self {
            Self::Local(arrived) => {
                let mut arrivals = lock(&arrived.list);
                arrivals.push(Box::pin(future));
                arrived.any.store(true, SeqCst);
            }
            Self::Spawn => drop(tokio::spawn(future)),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
