//! A connection and its handlers as one future.
//!
//! The connection and each handler have wakers of their own, so that a poll runs only what was woken. What is woken
//! while the future is polled (a handler's response wakes the connection, the connection a body that waits its turn) is run
//! in the same poll, without a way through the runtime's queues, until the connection itself wakes handlers, by room for large
//! bodies or by what it read for them: then the runtime's other tasks are next. Slots and their wakers are used again for
//! later handlers; a handler that is done at its first poll costs one allocation, its future's.
//!
//! # Lost wake-ups
//! Who was woken and whether the future is being polled are bits of one word. A waker sets its bit, and leaves it at that if the
//! future was being polled then; the future takes back that it is polled, and goes on if anybody's bit was set then. One of both
//! comes first and is seen by the other. A handler is in the list before its bit is set, and the bit is
//! cleared before the list is read, so that a bit may be set for nothing, but no handler is in the list without it.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;
use hyper_util::server::graceful::GracefulConnection;

use super::executor::{Executor, Task, lock};

/// Turns of a connection and its handlers in one poll, so that other tasks of the thread have theirs.
const TURNS: usize = 16;

/// How often handlers that wake each other are run before the connection: bodies that take turns do so, and the
/// connection then sends what all of them have. One that only wakes itself does not keep it waiting for longer.
const ROUNDS: usize = 16;

/// What the wakers know.
struct Shared {
    /// The task that all runs in.
    task: AtomicWaker,
    /// Any of the three below. One word, as each look at another costs what a look at a lock does.
    news: AtomicU8,
    /// Slots of handlers that were woken.
    handlers: Mutex<Vec<u32>>,
}

/// The future is being polled, and looks at the rest before it ends.
const POLLED: u8 = 1;
/// The connection was woken.
const CONNECTION: u8 = 2;
/// Handlers were woken.
const HANDLERS: u8 = 4;

impl Shared {
    fn notify(&self, whom: u8) {
        if self.news.fetch_or(whom, SeqCst) & POLLED == 0 {
            self.task.wake();
        }
    }

    fn has(&self, whom: u8) -> bool {
        self.news.load(SeqCst) & whom != 0
    }

    /// Whether they were woken; from here on they were not.
    fn take(&self, whom: u8) -> bool {
        self.has(whom) && self.news.fetch_and(!whom, SeqCst) & whom != 0
    }
}

struct ConnectionWaker(Arc<Shared>);

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify(CONNECTION);
    }
}

struct HandlerWaker {
    shared: Arc<Shared>,
    slot: u32,
    state: AtomicU8,
}

/// The handler is being polled, or done: whoever polls it looks at the rest after that.
const BUSY: u8 = 1;
/// The handler was woken. Without the above, its slot is in the list.
const WOKEN: u8 = 2;

impl HandlerWaker {
    fn enlist(&self) {
        lock(&self.shared.handlers).push(self.slot);
        self.shared.notify(HANDLERS);
    }
}

impl Wake for HandlerWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, SeqCst) == 0 {
            self.enlist();
        }
    }
}

/// A place for a handler.
struct Slot {
    handler: Option<Task>,
    state: Arc<HandlerWaker>,
    waker: Waker,
}

/// What has become of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handler {
    Waits,
    Done,
}

impl Slot {
    fn new(shared: Arc<Shared>, slot: u32) -> Self {
        let state = Arc::new(HandlerWaker {
            shared,
            slot,
            state: AtomicU8::new(0),
        });
        Self {
            handler: None,
            waker: Waker::from(state.clone()),
            state,
        }
    }

    /// `None` if there is no handler.
    fn poll(&mut self) -> Option<Handler> {
        let handler = self.handler.as_mut()?;
        // What wakes it from here on is news.
        self.state.state.swap(BUSY, SeqCst);
        let mut cx = Context::from_waker(&self.waker);
        // A handler that panics takes its stream with it, and not the connection: as if it had been spawned.
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(&mut cx)));
        if !matches!(polled, Ok(Poll::Pending)) {
            // It stays busy: h2 wakes those that have just sent all they had, and that is no news.
            self.handler = None;
            return Some(Handler::Done);
        }
        if self.state.state.fetch_and(!BUSY, SeqCst) & WOKEN != 0 {
            self.state.enlist();
        }
        Some(Handler::Waits)
    }
}

/// A connection with the handlers that run in its task.
///
/// It is done when the connection is done and all handlers are, as they would be if spawned.
pub(super) struct Driver<C> {
    connection: Pin<Box<C>>,
    closed: bool,
    waker: Waker,
    shared: Arc<Shared>,
    executor: Executor,
    arrived: Vec<Task>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    woken: Vec<u32>,
}

impl<C: GracefulConnection> Driver<C> {
    pub(super) fn new(connection: C, executor: Executor) -> Self {
        let shared = Arc::new(Shared {
            task: AtomicWaker::new(),
            news: AtomicU8::new(CONNECTION),
            handlers: Mutex::default(),
        });
        Self {
            connection: Box::pin(connection),
            closed: false,
            waker: Waker::from(Arc::new(ConnectionWaker(shared.clone()))),
            shared,
            executor,
            arrived: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            woken: Vec::new(),
        }
    }

    /// Lets the requests in flight finish and takes no more.
    pub(super) fn graceful_shutdown(&mut self) {
        if !self.closed {
            self.connection.as_mut().graceful_shutdown();
            // It is to be polled for that.
            self.shared.news.fetch_or(CONNECTION, SeqCst);
        }
    }

    fn poll_handler(&mut self, slot: u32) {
        if self.slots[slot as usize].poll() == Some(Handler::Done) {
            self.free.push(slot);
        }
    }

    fn take_in(&mut self, handler: Task) {
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = self.slots.len() as u32;
            self.slots.push(Slot::new(self.shared.clone(), slot));
            slot
        });
        self.slots[slot as usize].handler = Some(handler);
        self.poll_handler(slot);
    }

    fn run_handlers(&mut self) {
        if self.shared.take(HANDLERS) {
            let mut woken = std::mem::take(&mut self.woken);
            std::mem::swap(&mut *lock(&self.shared.handlers), &mut woken);
            for slot in woken.drain(..) {
                self.poll_handler(slot);
            }
            self.woken = woken;
        }
        if self.executor.has_arrivals() {
            let mut arrived = std::mem::take(&mut self.arrived);
            self.executor.arrivals(&mut arrived);
            for handler in arrived.drain(..) {
                self.take_in(handler);
            }
            self.arrived = arrived;
        }
    }

    fn run_connection(&mut self) {
        if self.shared.take(CONNECTION) && !self.closed {
            let mut cx = Context::from_waker(&self.waker);
            // How a connection ends is no news: clients go away in all ways there are.
            self.closed = self.connection.as_mut().poll(&mut cx).is_ready();
        }
    }

    /// Whether there is anything to run in this.
    fn has_more(&self, news: u8) -> bool {
        news & CONNECTION != 0 && !self.closed
            || news & HANDLERS != 0
            || self.executor.has_arrivals()
    }

    fn is_done(&self) -> bool {
        self.closed && self.free.len() == self.slots.len() && !self.executor.has_arrivals()
    }
}

impl<C: GracefulConnection> Future for Driver<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.task.register(cx.waker());
        this.shared.news.fetch_or(POLLED, SeqCst);
        for _ in 0..TURNS {
            for _ in 0..ROUNDS {
                this.run_handlers();
                if !this.shared.has(HANDLERS) {
                    break;
                }
            }
            this.run_connection();
            // Mostly bodies for which writing made room, or handlers whose requests' bodies came. Both are large; other
            // connections have their turn before them, so that each client is kept busy by more than what was written just now.
            let news = this.shared.news.load(SeqCst);
            // What the runtime stopped, having had its share, wakes itself at once.
            if news & HANDLERS != 0
                || !this.has_more(news)
                || !tokio::task::coop::has_budget_remaining()
            {
                break;
            }
        }
        let news = this.shared.news.fetch_and(!POLLED, SeqCst);
        if this.is_done() {
            return Poll::Ready(());
        }
        if this.has_more(news) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn slot() -> Slot {
        let shared = Shared {
            task: AtomicWaker::new(),
            news: AtomicU8::new(0),
            handlers: Mutex::default(),
        };
        Slot::new(Arc::new(shared), 7)
    }

    /// The slots that were woken, which are not from here on.
    fn woken(slot: &Slot) -> Vec<u32> {
        let shared = &slot.state.shared;
        let news = shared.take(HANDLERS);
        let woken = std::mem::take(&mut *lock(&shared.handlers));
        assert_eq!(news, !woken.is_empty());
        woken
    }

    #[test]
    fn a_handler_is_in_the_list_once_however_often_it_is_woken() {
        let mut slot = slot();
        slot.handler = Some(Box::pin(std::future::pending()));
        assert_eq!(slot.poll(), Some(Handler::Waits));
        assert!(woken(&slot).is_empty());
        slot.waker.wake_by_ref();
        slot.waker.wake_by_ref();
        assert_eq!(woken(&slot), [7]);
        assert_eq!(slot.poll(), Some(Handler::Waits));
        slot.waker.wake_by_ref();
        assert_eq!(woken(&slot), [7]);
    }

    #[test]
    fn one_that_wakes_itself_is_polled_again_unless_it_is_done() {
        let mut slot = slot();
        let mut polls = 0;
        slot.handler = Some(Box::pin(poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            polls += 1;
            if polls < 3 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })));
        for _ in 1..3 {
            assert_eq!(slot.poll(), Some(Handler::Waits));
            assert_eq!(woken(&slot), [7]);
        }
        assert_eq!(slot.poll(), Some(Handler::Done));
        assert!(woken(&slot).is_empty());
        // A late wake-up of the one before is nobody's, until there is somebody.
        slot.waker.wake_by_ref();
        assert!(woken(&slot).is_empty());
        slot.handler = Some(Box::pin(std::future::pending()));
        assert_eq!(slot.poll(), Some(Handler::Waits));
        slot.waker.wake_by_ref();
        assert_eq!(woken(&slot), [7]);
    }
}
