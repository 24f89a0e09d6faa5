//! Taking turns: after so many bytes a connection, or a body that is read from memory, lets the others have the worker.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// Bytes of one turn.
pub(crate) const TURN: usize = 256 * 1024;

/// What is left of a connection's turn, and the wait for the next one.
///
/// The wait is over when tokio has asked the sockets for news: that is when it wakes a task that awaits `yield_now`. A
/// task that merely wakes itself starves those who wait for news, which tokio fetches only every so many polls. And the
/// future of `yield_now` is ready when it is polled again *for whatever reason*, while hyper's task is woken for many.
/// So it is polled once here, with a waker that notes that it was the one called.
#[derive(Debug)]
pub(crate) struct Turn {
    left: usize,
    waiting: Option<Arc<Waiting>>,
}

#[derive(Debug)]
struct Waiting(Mutex<Progress>);

#[derive(Debug)]
struct Progress {
    over: bool,
    task: Waker,
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self {
            left: TURN,
            waiting: None,
        }
    }

    /// Ready while there is something left of the turn, with true where a new one has begun.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.left > 0 {
            return Poll::Ready(false);
        }
        match &self.waiting {
            Some(waiting) if waiting.is_over_or_wakes(cx.waker()) => {
                *self = Self::new();
                Poll::Ready(true)
            }
            Some(_) => Poll::Pending,
            None => {
                let progress = Progress {
                    over: false,
                    task: cx.waker().clone(),
                };
                let waiting = Arc::new(Waiting(Mutex::new(progress)));
                let waker = Waker::from(Arc::clone(&waiting));
                // Pending at the first poll always; the waker is kept by the runtime.
                let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
                self.waiting = Some(waiting);
                Poll::Pending
            }
        }
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

impl Waiting {
    fn is_over_or_wakes(&self, task: &Waker) -> bool {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !progress.over {
            progress.task.clone_from(task);
        }
        progress.over
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let task = {
            let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            progress.over = true;
            progress.task.clone()
        };
        task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::atomic::{AtomicU64, Ordering},
    };

    use super::*;

    /// Another task that yields is woken once a round, so it must get as many rounds as there are turns, even if the
    /// task whose turns they are keeps being polled for other reasons.
    #[tokio::test]
    async fn polls_for_other_reasons_do_not_end_the_wait() {
        let rounds = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&rounds);
        tokio::spawn(async move {
            loop {
                seen.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        let mut turn = Turn::new();
        for turns in 0..100 {
            turn.sent(TURN);
            let begun = poll_fn(|cx| {
                cx.waker().wake_by_ref();
                turn.poll_ready(cx)
            })
            .await;
            assert!(begun);
            let rounds = rounds.load(Ordering::Relaxed);
            assert!(rounds >= turns, "{rounds} rounds in {turns} turns");
        }
    }
}
