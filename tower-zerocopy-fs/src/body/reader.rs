//! Reads one range of a file in order: by windows where they are proven, else into pooled buffers.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::Delivering;
#[cfg(target_os = "linux")]
use super::window::Windows;
use crate::{
    fs::{
        buffers::{BUFFER, Buffer},
        file::{OpenFile, read_at, read_cached, truncated},
    },
    http::range::ByteRange,
    metrics::Counter,
    net::turn::Turn,
};

pub(super) struct Reader {
    file: Arc<OpenFile>,
    delivering: Arc<Delivering>,
    position: u64,
    end: u64,
    #[cfg(target_os = "linux")]
    windows: Option<Windows>,
    /// A file in the page cache and a client that is quick never make the task wait, and below there may be no adapter
    /// to see to it that others get on.
    turn: Turn,
    /// A read on the blocking pool.
    reading: Option<JoinHandle<(Buffer, io::Result<usize>)>>,
}

impl Reader {
    pub(super) fn new(
        file: &Arc<OpenFile>,
        range: ByteRange,
        delivering: &Arc<Delivering>,
    ) -> Self {
        Self {
            file: Arc::clone(file),
            delivering: Arc::clone(delivering),
            position: range.start,
            end: range.end,
            #[cfg(target_os = "linux")]
            windows: Windows::for_range(&range, delivering),
            turn: Turn::new(),
            reading: None,
        }
    }

    /// The next bytes, `None` at the end. After an error it must not be polled again.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.position == self.end {
            return Poll::Ready(None);
        }
        #[cfg(target_os = "linux")]
        if let Some(windows) = &mut self.windows {
            match ready!(windows.poll_next(
                cx,
                &self.file,
                self.position,
                self.end,
                &self.delivering
            ))? {
                Some(bytes) => {
                    self.position += bytes.len() as u64;
                    return Poll::Ready(Some(Ok(bytes)));
                }
                // Refused, or only the tail is left, which is always read.
                None => self.windows = None,
            }
        }
        if ready!(self.turn.poll_ready(cx)) {
            self.delivering.count(Counter::yields, 1);
        }
        let (buffer, read) = ready!(self.poll_read(cx));
        Poll::Ready(Some(self.accept(buffer, read)))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<(Buffer, io::Result<usize>)> {
        if self.reading.is_none() {
            let wanted = usize::try_from(self.end - self.position)
                .unwrap_or(usize::MAX)
                .min(BUFFER);
            let mut buffer = Buffer::take();
            let original = &self.file.original.file;
            if let Some(read) = read_cached(original, buffer.space(wanted), self.position) {
                return Poll::Ready((buffer, Ok(read)));
            }
            self.delivering.count(Counter::cold_fills, 1);
            let (original, position) = (Arc::clone(&self.file.original), self.position);
            self.reading = Some(tokio::task::spawn_blocking(move || {
                let read = read_at(&original.file, buffer.space(wanted), position);
                (buffer, read)
            }));
        }
        let Some(reading) = &mut self.reading else {
            return Poll::Pending;
        };
        let done = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(done.unwrap_or_else(|error| (Buffer::take(), Err(io::Error::other(error)))))
    }

    fn accept(&mut self, buffer: Buffer, read: io::Result<usize>) -> io::Result<Bytes> {
        let read = read?;
        if read == 0 {
            return Err(truncated());
        }
        // After the read: what was read while the version still held is of that version.
        let original = &self.file.original;
        original.version.check(&original.file)?;
        self.position += read as u64;
        self.turn.sent(read);
        self.delivering.count(Counter::read_bytes, read as u64);
        Ok(buffer.freeze(read))
    }
}
