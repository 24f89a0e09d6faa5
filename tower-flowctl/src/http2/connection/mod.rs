//! What the stream adapter and the responses of one connection share.
//!
//! One lock over sans-io parts. It is held for a few table look-ups at a time and never while anything is polled or
//! woken. With connection-local execution it is never contended.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

#[cfg(all(feature = "admission", feature = "axum"))]
use std::sync::TryLockResult;

use super::{
    Http2Config, Priority, PriorityOverride, Reason,
    flood::Flood,
    frame::{Event, setting},
    identity::Prefix,
    scheduler::{Answer, Handle, Scheduler},
    windows::{PROBE, Windows},
};

/// A connection's shared part.
pub(crate) struct Connection {
    key: u64,
    prefix: Prefix,
    config: Http2Config,
    keeps_windows: bool,
    state: Mutex<State>,
}

/// What is under the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) scheduler: Scheduler,
    pub(crate) flood: Flood,
    /// Whom to wake when a response may ask again, by slot.
    wakers: Vec<Option<Waker>>,
    /// The connection's own task.
    pub(crate) task: Option<Waker>,
    /// Why the connection is to be closed.
    pub(crate) abuse: Option<Reason>,
    /// Whether the client has sent a byte of a request's body.
    pub(crate) uploads: bool,
    /// The client's windows, where they are kept here.
    pub(crate) windows: Option<Windows>,
}

impl Connection {
    pub(crate) fn new(config: Http2Config) -> Self {
        Self::with_windows(config, None)
    }

    /// One whose receive windows are kept here. All its requests must pass a service that tells when they are read.
    pub(crate) fn with_windows(config: Http2Config, windows: Option<Windows>) -> Self {
        static KEYS: AtomicU64 = AtomicU64::new(0);
        // 48 bits go with each request: at a million connections a second they last nine years.
        let key = KEYS.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff_ffff;
        Self {
            key,
            prefix: Prefix::new(key),
            keeps_windows: windows.is_some(),
            state: Mutex::new(State {
                scheduler: Scheduler::default(),
                flood: Flood::new(config.limits),
                wakers: Vec::new(),
                task: None,
                abuse: None,
                uploads: false,
                windows,
            }),
            config,
        }
    }

    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// What names this connection in the fields of its requests.
    pub(crate) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    pub(crate) fn config(&self) -> &Http2Config {
        &self.config
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(all(feature = "admission", feature = "axum"))]
    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, State>> {
        self.state.try_lock()
    }

    /// Changes something, and then wakes who is next.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, waker) = {
            let mut state = self.lock();
            let result = change(&mut state);
            (result, state.next())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Whether the client's windows are kept here.
    pub(crate) fn keeps_windows(&self) -> bool {
        self.keeps_windows
    }

    /// Something happened to an upload. Its client hears of it from the connection's task.
    pub(crate) fn upload<T>(&self, change: impl FnOnce(&mut Windows) -> T) -> Option<T> {
        if !self.keeps_windows {
            return None;
        }
        let mut state = self.lock();
        let windows = state.windows.as_mut()?;
        let result = change(windows);
        let task = if windows.is_due() {
            state.task.take()
        } else {
            None
        };
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
        Some(result)
    }

    /// A response with `available` bytes asks how many it may send. `last` says that it will not ask again.
    pub(crate) fn poll_send(
        &self,
        handle: Handle,
        available: usize,
        last: bool,
        cx: &mut Context<'_>,
    ) -> Poll<usize> {
        let mut state = self.lock();
        let (poll, waker) = match state.scheduler.request(handle, available) {
            // Whoever is next is not woken yet: hyper asks for the next piece of this response at once.
            Answer::Grant(bytes) if last && bytes == available => {
                (Poll::Ready(bytes), state.next())
            }
            Answer::Grant(bytes) => (Poll::Ready(bytes), None),
            Answer::Gone => (Poll::Ready(available), None),
            Answer::Wait => {
                state.keep_waker(handle, cx.waker());
                let watcher = if state.flood.is_watching() {
                    None
                } else {
                    state.task.take()
                };
                // Both are to be woken at most: who is next, and who looks after stalls.
                if let Some(watcher) = watcher {
                    let next = state.next();
                    drop(state);
                    watcher.wake();
                    if let Some(next) = next {
                        next.wake();
                    }
                    return Poll::Pending;
                }
                (Poll::Pending, state.next())
            }
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        poll
    }

    /// A response does not ask any more, for now or for good.
    pub(crate) fn withdraw(&self, handle: Handle) {
        self.change(|state| state.scheduler.withdraw(handle));
    }

    /// The priority in force.
    pub(crate) fn priority(&self, handle: Handle) -> Option<Priority> {
        self.lock().scheduler.priority(handle)
    }

    /// The server's word on a response, and the application's.
    pub(crate) fn decide(
        &self,
        handle: Handle,
        server: PriorityOverride,
        application: PriorityOverride,
    ) {
        if !server.is_empty() || !application.is_empty() {
            self.change(|state| state.scheduler.decided(handle, server, application));
        }
    }

    /// A response is on its way: its header's word, its type's, and the application's.
    pub(crate) fn respond(
        &self,
        handle: Handle,
        header: PriorityOverride,
        typed: PriorityOverride,
        application: PriorityOverride,
    ) {
        if !(header.is_empty() && typed.is_empty() && application.is_empty()) {
            self.change(|state| {
                state
                    .scheduler
                    .responded(handle, header, typed, application);
            });
        }
    }

    /// A request reached the service, with a word of its header.
    pub(crate) fn requested(&self, handle: Handle, field: PriorityOverride) {
        self.change(|state| state.scheduler.requested(handle, field));
    }
}

impl State {
    /// The waker of who should ask now, unless it was woken already.
    fn next(&mut self) -> Option<Waker> {
        let slot = self.scheduler.next()?;
        self.wakers.get_mut(slot as usize)?.take()
    }

    fn keep_waker(&mut self, handle: Handle, waker: &Waker) {
        let slot = handle.slot as usize;
        if self.wakers.len() <= slot {
            self.wakers.resize(slot + 1, None);
        }
        match &mut self.wakers[slot] {
            Some(kept) if kept.will_wake(waker) => {}
            kept => *kept = Some(waker.clone()),
        }
    }

    /// Takes in what passed.
    pub(crate) fn on(&mut self, config: &Http2Config, event: Event<'_>) {
        let counted = match event {
            Event::Opened {
                stream,
                dependency,
                end,
            } => {
                self.flood.credit(Reason::Priorities, 4);
                // Where there is none, hyper passes over the stream without a word.
                if let Some(handle) = self.scheduler.open(stream, dependency) {
                    if let Some(waker) = self.wakers.get_mut(handle.slot as usize) {
                        *waker = None;
                    }
                    if let (Some(windows), false) = (&mut self.windows, end) {
                        windows.opened(stream);
                    }
                }
                Ok(())
            }
            Event::Named { stream, named } => {
                config.metrics.requested(named);
                if let (Some(windows), false) = (&mut self.windows, named) {
                    windows.leave_to_hyper(stream);
                }
                Ok(())
            }
            Event::Received {
                stream,
                length,
                padding,
                end,
            } => {
                self.uploads |= length > padding;
                let leave = match &mut self.windows {
                    Some(windows) => windows.received(stream, length, padding),
                    None => Ok(()),
                };
                if length < 64 && !end {
                    leave.and_then(|()| self.flood.count(Reason::SmallData))
                } else {
                    leave
                }
            }
            Event::Depends { stream, dependency } => {
                self.scheduler.depends(stream, dependency);
                self.flood.count(Reason::Priorities)
            }
            Event::Updated { stream, field } => {
                config.metrics.updated();
                if let Some(field) = PriorityOverride::parse(field) {
                    self.scheduler.updated(stream, field);
                }
                self.flood.count(Reason::Priorities)
            }
            Event::Invalid(reason) => Err(reason),
            Event::ClientReset { stream } => {
                self.close(stream, true);
                self.flood.count(Reason::ClientResets)
            }
            Event::Setting { id, value } => {
                match id {
                    setting::INITIAL_WINDOW_SIZE if value <= i32::MAX as u32 => {
                        self.scheduler.set_initial_window(value);
                    }
                    setting::NO_RFC7540_PRIORITIES if value == 1 => self.scheduler.without_tree(),
                    _ => {}
                }
                Ok(())
            }
            Event::Settings => self.flood.count(Reason::Settings),
            Event::Ping { answer: None } => self.flood.count(Reason::Pings),
            Event::Ping {
                answer: Some(answer),
            } => {
                if let (Some(windows), PROBE) = (&mut self.windows, answer) {
                    windows.answered();
                }
                Ok(())
            }
            Event::Acknowledged => {
                if let Some(windows) = &mut self.windows {
                    windows.confirmed();
                }
                Ok(())
            }
            Event::Window { stream, increment } => {
                self.scheduler.window_grows(stream, increment);
                if increment < 256 {
                    self.flood.count(Reason::WindowUpdates)
                } else {
                    Ok(())
                }
            }
            Event::Sent {
                stream,
                length,
                whole,
            } => {
                self.scheduler.sent(stream, length as usize);
                self.flood.sent(length);
                if whole {
                    self.flood.credit(Reason::WindowUpdates, 2);
                }
                Ok(())
            }
            Event::Finished { stream, reset } => {
                self.close(stream, reset);
                if reset {
                    self.flood.count(Reason::ServerResets)
                } else {
                    Ok(())
                }
            }
            Event::GoAway { last } => {
                self.scheduler.set_last_served(last);
                Ok(())
            }
        };
        if let Err(reason) = counted
            && self.abuse.is_none()
        {
            self.abuse = Some(reason);
            config.metrics.closed(reason);
        }
    }

    fn close(&mut self, stream: u32, reset: bool) {
        self.scheduler.close(stream);
        if let Some(windows) = &mut self.windows {
            windows.closed(stream, reset);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Connection");
        f.field("key", &self.key);
        if let Ok(state) = self.state.try_lock() {
            f.field("streams", &state.scheduler.open_streams());
        }
        f.finish_non_exhaustive()
    }
}

/// A response's connection and its place there.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) connection: Arc<Connection>,
    pub(crate) handle: Handle,
}

#[cfg(test)]
mod tests;
