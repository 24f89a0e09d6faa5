//! Whole segments while there is more to come, and what is left at once where clients upload.
//!
//! hyper writes a frame at a time. Left to itself the kernel sends each as far as it is, wakes the client for it, and by Nagle's
//! algorithm keeps the next odd end until the one before is acknowledged, which a client may put off for 40 ms. But while more was
//! granted than a write has, the next frame follows at once: until the last one only whole segments go out (`TCP_CORK`, tcp(7)),
//! but for what was left of a frame when the socket was full. That is written in one piece, and its odd end goes with it.
//!
//! The response to an upload would wait so each time, behind the WINDOW_UPDATE for it: the client has nothing else to say. So
//! a connection has `TCP_NODELAY` from its first upload on. Others do not: where many small responses are written one by one,
//! Nagle's algorithm puts them together.
//!
//! Whatever was expected, a flush with nothing written since the one before says that hyper has no more, and what was kept
//! back goes. Nothing is left behind: only a frame's head and its payload, written together, have the socket corked, and
//! behind those h2 writes more or flushes so. What it wrote in one piece it may end with; that uncorks always.

use std::io::IoSlice;

use super::PriorityStream;
#[cfg(unix)]
use crate::http2::socket;

/// Whether sockets can be corked. Elsewhere nobody need be asked whether more follows.
const CORKS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether the kernel keeps back what does not fill a segment.
#[derive(Debug, Default)]
pub(super) struct Cork {
    set: bool,
    /// Whether something was written since the last flush.
    written: bool,
    /// Whether nothing waits for acknowledgements.
    prompt: bool,
}

impl<Io> PriorityStream<Io> {
    /// This is about to be written. Whether more follows at once, in which case the socket is corked.
    pub(super) fn cork(&mut self, slices: &[IoSlice<'_>]) -> bool {
        self.cork.written = true;
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        let goes_on =
            CORKS && slices.len() > 1 && self.connection.lock().scheduler.in_flight() > bytes;
        if goes_on && !self.cork.set {
            self.set_cork(true);
        }
        goes_on
    }

    pub(super) fn uncork(&mut self) {
        if self.cork.set {
            self.set_cork(false);
        }
    }

    /// hyper has flushed.
    pub(super) fn flushed(&mut self) {
        if !std::mem::take(&mut self.cork.written) {
            self.uncork();
        }
    }

    /// Has nothing wait for acknowledgements that is not kept back here.
    pub(super) fn send_at_once(&mut self) {
        if std::mem::replace(&mut self.cork.prompt, true) {
            return;
        }
        #[cfg(unix)]
        if let Some(socket) = (self.socket)(&self.io) {
            socket::send_at_once(socket);
        }
    }

    fn set_cork(&mut self, set: bool) {
        #[cfg(unix)]
        if let Some(socket) = (self.socket)(&self.io) {
            socket::keep_partial_segments(socket, set);
            self.cork.set = set;
        }
        #[cfg(not(unix))]
        let _ = set;
    }
}
