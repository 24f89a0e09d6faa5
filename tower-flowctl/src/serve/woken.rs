//! A stream that is polled when it was woken, in a task that is woken by something else nearly always.
//!
//! A connection's task is woken for each request, and what may end the connection never is, but to poll that is as much as
//! some of the layers of a request. So it has a waker of its own, which says that there is something to see.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::Stream;
use pin_project_lite::pin_project;

use super::executor::lock;

pin_project! {
    /// See the module.
    pub(super) struct WhenWoken<S> {
        #[pin]
        inner: S,
        state: Arc<State>,
        waker: Waker,
        // Whom `state` wakes, as it was last told. The task of a connection rarely changes.
        task: Option<Waker>,
    }
}

struct State {
    woken: AtomicBool,
    // Not an `AtomicWaker`, which is empty once it has woken, and would have to be filled at every poll.
    task: Mutex<Option<Waker>>,
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, SeqCst);
        let task = lock(&self.task).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<S> WhenWoken<S> {
    pub(super) fn new(inner: S) -> Self {
        let state = Arc::new(State {
            woken: AtomicBool::new(true),
            task: Mutex::default(),
        });
        Self {
            inner,
            waker: Waker::from(state.clone()),
            state,
            task: None,
        }
    }
}

impl<S: Stream> Stream for WhenWoken<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let known = this.task.as_ref();
        if !known.is_some_and(|known| known.will_wake(cx.waker())) {
            *this.task = Some(cx.waker().clone());
            lock(&this.state.task).clone_from(this.task);
        }
        // Looked at after the task can be woken: what is noted before is seen here, what is noted later wakes it.
        if !this.state.woken.load(SeqCst) {
            return Poll::Pending;
        }
        this.state.woken.store(false, SeqCst);
        let polled = this.inner.poll_next(&mut Context::from_waker(this.waker));
        if polled.is_ready() {
            // The next item may be there already.
            this.state.woken.store(true, SeqCst);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::{StreamExt, stream};

    use super::*;

    #[test]
    fn the_inner_stream_is_polled_when_it_was_woken() {
        let (polls, waker) = (Cell::new(0), Cell::new(None::<Waker>));
        let inner = stream::poll_fn(|cx| {
            polls.set(polls.get() + 1);
            waker.set(Some(cx.waker().clone()));
            match polls.get() {
                2 | 3 => Poll::Ready(Some(polls.get())),
                _ => Poll::Pending,
            }
        });
        let mut stream = WhenWoken::new(inner);
        let mut next = || stream.poll_next_unpin(&mut Context::from_waker(Waker::noop()));
        for _ in 0..3 {
            assert_eq!((next(), polls.get()), (Poll::Pending, 1));
        }
        waker.take().expect("it was polled").wake();
        assert_eq!(next(), Poll::Ready(Some(2)));
        assert_eq!(next(), Poll::Ready(Some(3)));
        for _ in 0..3 {
            assert_eq!((next(), polls.get()), (Poll::Pending, 4));
        }
    }
}
