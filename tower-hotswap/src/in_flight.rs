//! The mark of a request on the generation that serves it.

use std::{cell::RefCell, sync::Arc};

use crate::{SnapshotInfo, generation::Shard};

/// Keeps the generation that serves a request from counting as drained.
///
/// Every response body carries one. What outlives the body does not: a WebSocket, a tunnel, a task that was
/// spawned. Such a handler takes [`InFlight::current`] (with axum: the extractor) and keeps it as long as it works.
/// A clone counts by itself.
#[derive(Debug)]
pub struct InFlight {
    shard: Arc<Shard>,
}

thread_local! {
    static CURRENT: RefCell<Option<InFlight>> = const { RefCell::new(None) };
}

impl InFlight {
    /// Counts in, unless the generation is retired.
    #[inline]
    pub(crate) fn enter(shard: &Arc<Shard>) -> Option<Self> {
        shard.enter().then(|| Self {
            shard: shard.clone(),
        })
    }

    /// A mark of the request whose handler runs on this thread now, if it came through a
    /// [`HotSwap`](crate::HotSwap) or a `HotLayer`.
    ///
    /// It is known while the service is called and the future of the response is polled, and not in a task that a handler spawned, nor behind
    /// a layer that polls the handler in another task.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// What the snapshot that serves the request is.
    #[must_use]
    pub fn snapshot(&self) -> &SnapshotInfo {
        self.shard.info()
    }

    /// Runs `work` with the mark in `slot` as the current one.
    #[inline]
    pub(crate) fn with<R>(slot: &mut Option<Self>, work: impl FnOnce() -> R) -> R {
        /// Puts back what was current before, also when `work` panics.
        struct Exchange<'a>(&'a mut Option<InFlight>);
        impl Exchange<'_> {
            #[inline]
            fn swap(&mut self) {
                CURRENT.with_borrow_mut(|current| std::mem::swap(current, self.0));
            }
        }
        impl Drop for Exchange<'_> {
            #[inline]
            fn drop(&mut self) {
                self.swap();
            }
        }
        let mut exchange = Exchange(slot);
        exchange.swap();
        work()
    }
}

impl Clone for InFlight {
    fn clone(&self) -> Self {
        self.shard.enter_again();
        Self {
            shard: self.shard.clone(),
        }
    }
}

impl Drop for InFlight {
    #[inline]
    fn drop(&mut self) {
        self.shard.leave();
    }
}
