//! Where the requests of an HTTP/2 connection run.
//!
//! hyper hands each stream's future to its executor, which usually spawns a task. The response then crosses from that
//! task to the connection's, which costs a wake-up and often another core. Run within the connection's own
//! task, a small request costs about half the CPU time.

use std::{
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_util::{
    future::FutureExt,
    stream::{FuturesUnordered, StreamExt},
};
use hyper_util::server::graceful::GracefulConnection;

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

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// hyper's executor for one connection.
#[derive(Clone)]
pub(super) enum Executor {
    Local(Arc<Mutex<Vec<Task>>>),
    Spawn,
}

impl Executor {
    pub(super) fn new(exec: Exec) -> Self {
        match exec {
            Exec::Local => Self::Local(Arc::default()),
            Exec::Spawn => Self::Spawn,
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
            // A handler that panics ends its stream and no other, as it does in a task of its own. What it leaves behind is
            // dropped and not looked at again.
            Self::Local(new) => {
                let caught = AssertUnwindSafe(future).catch_unwind().map(drop);
                lock(new).push(Box::pin(caught));
            }
            Self::Spawn => drop(tokio::spawn(future)),
        }
    }
}

/// Turns of a connection and its handlers in one poll, so that other tasks of the thread have theirs.
const TURNS: usize = 16;

/// A connection with the handlers that run in its task.
///
/// It is done when the connection is done and all handlers are, as they would be if spawned.
pub(super) struct Driver<C> {
    connection: Pin<Box<C>>,
    closed: bool,
    executor: Executor,
    arrived: Vec<Task>,
    running: FuturesUnordered<Task>,
}

impl<C: GracefulConnection> Driver<C> {
    pub(super) fn new(connection: C, executor: Executor) -> Self {
        Self {
            connection: Box::pin(connection),
            closed: false,
            executor,
            arrived: Vec::new(),
            running: FuturesUnordered::new(),
        }
    }

    /// Lets the requests in flight finish and takes no more.
    pub(super) fn graceful_shutdown(&mut self) {
        if !self.closed {
            self.connection.as_mut().graceful_shutdown();
        }
    }

    fn run_handlers(&mut self, cx: &mut Context<'_>) {
        if let Executor::Local(new) = &self.executor {
            std::mem::swap(&mut *lock(new), &mut self.arrived);
            self.running.extend(self.arrived.drain(..));
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
        }
    }

    fn has_arrivals(&self) -> bool {
        match &self.executor {
            Executor::Local(new) => !lock(new).is_empty(),
            Executor::Spawn => false,
        }
    }
}

impl<C: GracefulConnection> Future for Driver<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        for _ in 0..TURNS {
            this.run_handlers(cx);
            if !this.closed {
                // How a connection ends is no news: clients go away in all ways there are.
                this.closed = this.connection.as_mut().poll(cx).is_ready();
            }
            if !this.has_arrivals() {
                return if this.closed && this.running.is_empty() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                };
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
