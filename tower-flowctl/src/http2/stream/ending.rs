//! How a connection ends whose client went too far.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::PriorityStream;
use crate::http2::{
    Reason,
    flood::Abuse,
    frame::{Head, SMALLEST_MAX_PAYLOAD, kind},
};

/// How a connection ends that was closed on its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Open,
    /// GOAWAY is being written.
    Telling(Reason),
    /// What the client still sends is read, so that the kernel does not answer it with a reset that overtakes GOAWAY.
    Lingering(Reason),
    Ended(Reason),
}

/// How long a client may take to hear that it is cut off.
const LINGER: Duration = Duration::from_secs(1);

impl<Io: AsyncRead + AsyncWrite + Unpin> PriorityStream<Io> {
    /// Leaves a waker for the connection's task, and looks after clients that hold responses up.
    pub(super) fn watch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let checked = {
                let mut state = self.connection.lock();
                if !state
                    .task
                    .as_ref()
                    .is_some_and(|task| task.will_wake(cx.waker()))
                {
                    state.task = Some(cx.waker().clone());
                }
                let depends = state.scheduler.depends_on_client();
                match state.flood.check_stall(depends) {
                    Ok(end) => end,
                    Err(reason) => {
                        state.abuse = Some(reason);
                        self.abuse = state.abuse;
                        self.connection.config().metrics.closed(reason);
                        return Poll::Ready(());
                    }
                }
            };
            let Some(end) = checked else {
                return Poll::Pending;
            };
            let watch = self.watch_at(end);
            if watch.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // The timer was set for an earlier wait; it is set anew.
            watch.as_mut().reset(end);
            if Instant::now() < end && watch.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    pub(super) fn watch_at(&mut self, end: Instant) -> &mut Pin<Box<Sleep>> {
        self.watch
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)))
    }

    /// Ends the connection of a client that went too far.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.end {
                End::Open => return Poll::Pending,
                End::Telling(reason) => {
                    // Whether the client hears it or not: after that time it is cut off.
                    let told = self.poll_own(cx).map_ok(|()| ());
                    let told = match told {
                        Poll::Ready(Ok(())) => Pin::new(&mut self.io).poll_shutdown(cx),
                        other => other,
                    };
                    match told {
                        Poll::Ready(Ok(())) => self.end = End::Lingering(reason),
                        Poll::Ready(Err(_)) => self.end = End::Ended(reason),
                        Poll::Pending => {
                            ready!(self.poll_linger(cx));
                            self.end = End::Ended(reason);
                        }
                    }
                }
                End::Lingering(reason) => {
                    let mut bytes = [0; 4096];
                    let mut unread = ReadBuf::new(&mut bytes);
                    match Pin::new(&mut self.io).poll_read(cx, &mut unread) {
                        Poll::Ready(Ok(())) if !unread.filled().is_empty() => {
                            if self.poll_linger(cx).is_ready() {
                                self.end = End::Ended(reason);
                            }
                        }
                        Poll::Ready(_) => self.end = End::Ended(reason),
                        Poll::Pending => {
                            ready!(self.poll_linger(cx));
                            self.end = End::Ended(reason);
                        }
                    }
                }
                End::Ended(reason) => return Poll::Ready(Err(io::Error::other(Abuse(reason)))),
            }
        }
    }

    pub(super) fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.watch_at(Instant::now() + LINGER).as_mut().poll(cx)
    }

    /// Begins the end, if the client went too far.
    pub(super) fn is_ending(&mut self) -> bool {
        if self.end != End::Open {
            return true;
        }
        let Some(reason) = self.abuse else {
            return false;
        };
        // Within a frame nothing can be said any more.
        if self.outbound.is_between_frames() {
            go_away(reason, self.inbound.newest(), &mut self.own);
        }
        self.watch = None;
        self.end = End::Telling(reason);
        true
    }
}

fn go_away(reason: Reason, last_stream: u32, out: &mut Vec<u8>) {
    let debug = reason.name().as_bytes();
    let head = Head {
        length: 8 + debug.len(),
        kind: kind::GOAWAY,
        flags: 0,
        stream: 0,
    };
    debug_assert!(head.length <= SMALLEST_MAX_PAYLOAD);
    out.extend_from_slice(&head.bytes());
    out.extend_from_slice(&last_stream.to_be_bytes());
    out.extend_from_slice(&reason.code().to_be_bytes());
    out.extend_from_slice(debug);
}
