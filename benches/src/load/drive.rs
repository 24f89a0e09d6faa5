//! Phases of a load, and the threads that drive their share of its connections.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio::{
    runtime,
    task::{JoinSet, LocalSet},
};

use super::{
    connection::Connection,
    outcome::Outcome,
    plan::{Plan, Span},
    worker::Worker,
};

/// A server that fails this often is not asked further.
const MOST_ERRORS: u64 = 1_000;
/// What is read at once.
const BUFFER: usize = 256 << 10;

/// What all connections of a phase share.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) start: Instant,
    pub(super) end: Option<Instant>,
    requests: u64,
    taken: AtomicU64,
    failed: AtomicU64,
}

impl Phase {
    pub(super) fn new(span: Span) -> Arc<Self> {
        let start = Instant::now();
        let (end, requests) = match span {
            Span::Requests(requests) => (None, requests),
            Span::Time(time) => (Some(start + time), u64::MAX),
        };
        Arc::new(Self {
            start,
            end,
            requests,
            taken: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// The number of the next request, if there is one.
    pub(super) fn take(&self) -> Option<u64> {
        let over = self.end.is_some_and(|end| Instant::now() >= end);
        if over {
            return None;
        }
        self.take_late().filter(|number| *number < self.requests)
    }

    /// The number of a request that was due before the end, whatever the time is now.
    pub(super) fn take_late(&self) -> Option<u64> {
        let failing = self.failed.load(Relaxed) >= MOST_ERRORS;
        (!failing).then(|| self.taken.fetch_add(1, Relaxed))
    }

    /// Counts requests that have failed.
    pub(super) fn fail(&self, requests: u64) {
        self.failed.fetch_add(requests, Relaxed);
    }
}

/// The connections of one thread, with the runtime they live in.
pub(super) struct Thread {
    runtime: runtime::Runtime,
    plan: Arc<Plan>,
    connections: Vec<Connection>,
}

impl Thread {
    /// Opens the connections numbered `mine`.
    pub(super) fn open(plan: &Arc<Plan>, mine: Vec<usize>) -> Result<Self, String> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| format!("tokio's runtime does not start: {e}"))?;
        let connections = runtime.block_on(async {
            let mut connections = Vec::new();
            for number in mine {
                connections.push(Connection::open(plan, number).await?);
            }
            Ok::<_, String>(connections)
        })?;
        Ok(Self {
            runtime,
            plan: Arc::clone(plan),
            connections,
        })
    }

    /// Runs a phase to its end; the connections stay open.
    pub(super) fn run(&mut self, phase: &Arc<Phase>) -> Result<Outcome, String> {
        let seen = Rc::new(RefCell::new(Outcome::new(self.plan.asks.len())?));
        let buffer = Rc::new(RefCell::new(vec![0; BUFFER]));
        let local = LocalSet::new();
        let connections = std::mem::take(&mut self.connections);
        let back = local.block_on(&self.runtime, async {
            let mut tasks = JoinSet::new();
            for connection in connections {
                let worker = Worker::new(phase, &self.plan, &seen, &buffer, connection);
                tasks.spawn_local(worker.run());
            }
            let mut back = Vec::new();
            while let Some(done) = tasks.join_next().await {
                back.push(done.map_err(|e| format!("a connection's task died: {e}"))??);
            }
            Ok::<_, String>(back)
        })?;
        self.connections = back;
        let seen = seen.borrow().clone();
        Ok(seen)
    }
}
