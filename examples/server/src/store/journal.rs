//! The thread that saves changes, many at a time.
//!
//! A write is answered when its changes are on the disk. Syncing a disk takes milliseconds, so all changes
//! that arrive while one batch is synced go into the next one together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::{io, thread};

use tokio::sync::oneshot;

use super::keeper::{Change, Keeper, KeeperError};

/// The most writes of one batch.
const BATCH: usize = 256;

struct Write {
    changes: Vec<Change>,
    done: oneshot::Sender<Result<(), KeeperError>>,
}

/// The sending end of the thread; dropping it saves what is outstanding and ends the thread.
#[derive(Debug)]
pub(super) struct Journal {
    /// `None` only while it is dropped.
    writes: Option<Sender<Write>>,
    thread: Option<JoinHandle<()>>,
    batches: Arc<AtomicU64>,
}

impl Journal {
    pub(super) fn start(keeper: impl Keeper) -> io::Result<Self> {
        let (writes, receiver) = channel();
        let batches = Arc::new(AtomicU64::new(0));
        let counter = batches.clone();
        let thread = thread::Builder::new()
            .name("journal".into())
            .spawn(move || run(keeper, &receiver, &counter))?;
        Ok(Journal {
            writes: Some(writes),
            thread: Some(thread),
            batches,
        })
    }

    /// Hands changes over, in the order of the calls; the receiver tells when they are saved.
    pub(super) fn save(&self, changes: Vec<Change>) -> oneshot::Receiver<Result<(), KeeperError>> {
        let (done, saved) = oneshot::channel();
        if let Some(writes) = &self.writes {
            // When the thread is gone the sender in the write is dropped, which the receiver tells.
            let _ = writes.send(Write { changes, done });
        }
        saved
    }

    /// Batches saved so far.
    pub(super) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.writes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut keeper: impl Keeper, writes: &Receiver<Write>, batches: &AtomicU64) {
    // After a failure memory is ahead of the disk, and only a restart brings the two together again.
    let mut failed = None;
    while let Ok(first) = writes.recv() {
        let batch: Vec<Write> = std::iter::once(first)
            .chain(writes.try_iter().take(BATCH - 1))
            .collect();
        let changes: Vec<Change> = batch
            .iter()
            .flat_map(|write| write.changes.iter().cloned())
            .collect();
        let result = match &failed {
            Some(error) => Err(KeeperError::clone(error)),
            None => keeper.save(&changes),
        };
        match &result {
            Ok(()) => {
                batches.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if failed.is_none() => {
                tracing::error!(%error, "the store takes no more changes until the server is restarted");
                failed = Some(error.clone());
            }
            Err(_) => {}
        }
        for write in batch {
            // Who gave up waiting does not need to know.
            let _ = write.done.send(result.clone());
        }
    }
}
