//! The mark of a request on the generation that serves it.

use std::{cell::Cell, mem::ManuallyDrop};

use crate::{SnapshotInfo, generation::Shard, sync::Counted};

/// Keeps the generation that serves a request from counting as drained.
///
/// Every response body carries one. What outlives the body does not: a WebSocket, a tunnel, a task that was
/// spawned. Such a handler takes [`InFlight::current`] (with axum: the extractor) and keeps it as long as it works.
/// A clone counts by itself.
#[derive(Debug, Clone)]
pub struct InFlight {
    shard: Counted<Shard>,
}

/// The mark of the request that is worked on. [`InFlight::lend`] puts it there, and [`Loan`] takes it back, so that it is dropped
/// elsewhere. Having no drop of its own the variable needs no destructor at the end of the thread, and is reached without
/// asking whether that ran.
type Lent = Option<ManuallyDrop<InFlight>>;

thread_local! {
    static CURRENT: Cell<Lent> = const { Cell::new(None) };
}

impl InFlight {
    #[inline]
    pub(crate) fn counted(shard: Counted<Shard>) -> Self {
        Self { shard }
    }

    /// A mark of the request whose handler runs on this thread now, if it came through a
    /// [`HotSwap`](crate::HotSwap) or a `HotLayer`.
    ///
    /// It is known while the future of the response is polled, which is where handlers run. It is not known in `Service::call` itself,
    /// where a service only makes that future, nor in a task that a handler spawned, nor behind a layer that polls the
    /// handler in another task.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.with(|current| {
            let lent = current.take();
            let mark = lent.as_deref().cloned();
            current.set(lent);
            mark
        })
    }

    /// What the snapshot that serves the request is.
    #[must_use]
    pub fn snapshot(&self) -> &SnapshotInfo {
        self.shard.info()
    }

    /// Makes the mark in `slot` the current one until what this returns is dropped. The slot is empty meanwhile.
    #[inline]
    pub(crate) fn lend(slot: &mut Option<Self>) -> Loan<'_> {
        let before = CURRENT.replace(slot.take().map(ManuallyDrop::new));
        Loan { slot, before }
    }
}

/// Takes the mark back into its slot, also when the work panics.
pub(crate) struct Loan<'a> {
    slot: &'a mut Option<InFlight>,
    before: Lent,
}

impl Drop for Loan<'_> {
    #[inline]
    fn drop(&mut self) {
        let lent = CURRENT.replace(self.before.take());
        let empty = std::mem::replace(self.slot, lent.map(ManuallyDrop::into_inner));
        // Nothing is in it, which the compiler does not see.
        std::mem::forget(empty);
    }
}
