//! `Initialized → Active → Closing → Terminated`.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    depot::{Depot, Extra},
    error::{CloseError, Leak},
};

/// Where a pool is in its life. It only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Built; nothing was made in advance or handed out yet.
    Initialized,
    /// `init` was called or something was acquired.
    Active,
    /// `close` was called: nothing is handed out, what is out may come home.
    Closing,
    /// Everything came home.
    Terminated,
}

/// The state, and a bell for those who wait for things to come home.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    state: AtomicU8,
    home: Notify,
}

impl Lifecycle {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(State::Initialized as u8),
            home: Notify::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Initialized,
            1 => State::Active,
            2 => State::Closing,
            _ => State::Terminated,
        }
    }

    /// Moves on to [`State::Active`]; `false` when that happened before, or the end has begun.
    pub(crate) fn activate(&self) -> bool {
        self.advance(State::Active) == State::Initialized as u8
    }

    /// Moves forward to `state`; going back changes nothing. Returns where it was.
    fn advance(&self, state: State) -> u8 {
        self.state.fetch_max(state as u8, Ordering::AcqRel)
    }

    /// A thing came home to a closing pool.
    pub(crate) fn came_home(&self) {
        self.home.notify_waiters();
    }

    /// Closes `depot` and waits until everything is home or `deadline` has passed.
    pub(crate) async fn close<T: Send + 'static, X: Extra<T>>(
        &self,
        depot: &Depot<T, X>,
        deadline: Duration,
        leaks: impl FnOnce() -> Vec<Leak>,
    ) -> Result<(), CloseError> {
        self.advance(State::Closing);
        depot.close();
        let all_home = async {
            loop {
                let mut home = std::pin::pin!(self.home.notified());
                // Registered before counting, so that nothing comes home unheard in between.
                home.as_mut().enable();
                if depot.leases() == 0 {
                    return;
                }
                home.await;
            }
        };
        if tokio::time::timeout(deadline, all_home).await.is_err() {
            let in_use = depot.leases();
            if in_use != 0 {
                return Err(CloseError {
                    in_use,
                    leaks: leaks(),
                });
            }
        }
        self.advance(State::Terminated);
        Ok(())
    }
}
