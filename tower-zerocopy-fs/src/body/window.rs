//! Windows: bytes that stand for a piece of a file without holding it.
//!
//! A window is a fresh mapping of zeros that the stream adapter knows to mean so many bytes of a file from some offset
//! on. Sent through hyper, it reaches the adapter untouched, and the adapter calls `sendfile(2)`. A layer that *reads*
//! it sees zeros. So each response first proves that nobody does, and goes on proving it:
//!
//! 1. **Probe.** The first 64 KiB are true bytes in a fresh sealed memory file. Windows follow only if the adapter got
//!    exactly these bytes by their own address and sent them, every `Bytes` over them is gone, and no page of the
//!    mapping was ever read (see [`pagemap`]). Whoever digests, logs, encrypts, compresses, copies, or keeps
//!    what passes by is found out here, having seen nothing but true bytes; the rest is then read into buffers.
//! 2. **Audit.** The next window is made when the one before was sent in full, all `Bytes` over it are gone, and no page
//!    of it was read. Otherwise the response fails and the service makes no more windows.
//! 3. **Tail.** The last bytes are always read and come after the last audit. So a response in which somebody read a
//!    window is never complete, and the client knows it from the closed connection.
//!
//! What remains: a layer that leaves the first 64 KiB alone and reads later ones sees zeros once, in a response that then
//! fails.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{Delivering, pagemap, sealed};
use crate::{
    fs::file::OpenFile,
    http::range::ByteRange,
    metrics::Counter,
    net::{
        delivery::Delivery,
        registry::{self, Adapter, Memory},
    },
    region::Mapping,
};

/// True bytes at the start, a size that every usual sniffer reads some of.
const PROBE: u64 = 64 * 1024;

/// Bytes of one window. What a layer can see of zeros at most, and what is checked for being in the page cache at once.
const WINDOW: u64 = 2 * 1024 * 1024;

/// True bytes at the end.
const TAIL: u64 = 4 * 1024;

/// Ranges shorter than this are read: the probe would cost more than it wins.
const WORTH: u64 = 512 * 1024;

/// Times to let the stack below pass something on before concluding that it will not.
const PATIENCE: u32 = 8;

pub(super) struct Windows {
    phase: Phase,
}

enum Phase {
    Start,
    Copying(JoinHandle<io::Result<Probe>>),
    Probing {
        sent: Sent,
        polls: u32,
    },
    Proven,
    Filling {
        task: JoinHandle<io::Result<()>>,
        range: ByteRange,
    },
    Sending {
        sent: Sent,
        polls: u32,
    },
}

type Probe = (Bytes, Arc<Mapping>, Arc<Delivery>);

/// Something handed out, of which the fate is awaited.
struct Sent {
    mapping: Arc<Mapping>,
    delivery: Arc<Delivery>,
}

enum Fate {
    /// Sent, gone, and never read.
    Untouched,
    /// Not on its way to the adapter, kept by somebody, or read.
    Touched,
}

impl Windows {
    /// `None` where windows cannot be had or would not pay.
    pub(super) fn for_range(range: &ByteRange, delivering: &Delivering) -> Option<Self> {
        let wanted = range.len() >= WORTH
            && delivering.windows.load(Ordering::Relaxed)
            && Adapter::any()
            && pagemap::available();
        wanted.then_some(Self {
            phase: Phase::Start,
        })
    }

    /// The next bytes from `position` on, or `None` if the rest up to `end` is to be read.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        file: &Arc<OpenFile>,
        position: u64,
        end: u64,
        delivering: &Delivering,
    ) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            match &mut self.phase {
                Phase::Start => {
                    let file = Arc::clone(file);
                    let range = ByteRange {
                        start: position,
                        end: position + PROBE,
                    };
                    // Copying so much from memory takes less time than another thread does to begin with it.
                    if file.original.is_cached(range.start, range.len()) {
                        let copied = sealed::copy_probe(&file, range);
                        return Poll::Ready(Ok(self.probe(copied, delivering)));
                    }
                    delivering.count(Counter::cold_fills, 1);
                    let task =
                        tokio::task::spawn_blocking(move || sealed::copy_probe(&file, range));
                    self.phase = Phase::Copying(task);
                }
                Phase::Copying(task) => {
                    let copied = ready!(Pin::new(task).poll(cx)).map_err(io::Error::other)?;
                    return Poll::Ready(Ok(self.probe(copied, delivering)));
                }
                Phase::Probing { sent, polls } => {
                    let fate = ready!(sent.poll_fate(cx, polls, Some(PATIENCE)));
                    if matches!(fate, Fate::Touched) {
                        delivering.count(Counter::windows_refused, 1);
                        return Poll::Ready(Ok(None));
                    }
                    delivering.count(Counter::windows_proven, 1);
                    self.phase = Phase::Proven;
                }
                Phase::Proven => {
                    let stop = (position + WINDOW).min(end.saturating_sub(TAIL));
                    if stop <= position || !delivering.windows.load(Ordering::Relaxed) {
                        return Poll::Ready(Ok(None));
                    }
                    let range = ByteRange {
                        start: position,
                        end: stop,
                    };
                    if file.original.is_cached(range.start, range.len()) {
                        return Poll::Ready(self.open(file, range, delivering));
                    }
                    delivering.count(Counter::cold_fills, 1);
                    let file = Arc::clone(file);
                    let task = tokio::task::spawn_blocking(move || fill_cache(&file, range));
                    self.phase = Phase::Filling { task, range };
                }
                Phase::Filling { task, range } => {
                    let range = *range;
                    ready!(Pin::new(task).poll(cx)).map_err(io::Error::other)??;
                    // Whether or not the pages stayed: sending what was just read blocks for a page at most.
                    return Poll::Ready(self.open(file, range, delivering));
                }
                Phase::Sending { sent, polls } => {
                    if matches!(ready!(sent.poll_fate(cx, polls, None)), Fate::Touched) {
                        return Poll::Ready(Err(violated(delivering)));
                    }
                    self.phase = Phase::Proven;
                }
            }
        }
    }

    /// No memory file, no windows; a file that cannot be read will say so when it is read.
    fn probe(&mut self, copied: io::Result<Probe>, delivering: &Delivering) -> Option<Bytes> {
        let (bytes, mapping, delivery) = copied.ok()?;
        delivering.count(Counter::sealed_bytes, bytes.len() as u64);
        self.phase = Phase::Probing {
            sent: Sent { mapping, delivery },
            polls: 0,
        };
        Some(bytes)
    }

    fn open(
        &mut self,
        file: &OpenFile,
        range: ByteRange,
        delivering: &Delivering,
    ) -> io::Result<Option<Bytes>> {
        file.original.version.check(&file.original.file)?;
        let mapping = Arc::new(Mapping::window(range.len() as usize)?);
        let delivery = Arc::new(Delivery::default());
        let bytes = registry::publish(
            Arc::clone(&mapping),
            Memory::Window,
            Some((Arc::clone(&file.original), range.start)),
            Some(Arc::clone(&delivery)),
        );
        delivering.count(Counter::window_bytes, bytes.len() as u64);
        self.phase = Phase::Sending {
            sent: Sent { mapping, delivery },
            polls: 0,
        };
        Ok(Some(bytes))
    }
}

impl Sent {
    /// Waits for as long as the adapter is at it, and a few polls for the last clone to go.
    ///
    /// `patience` is the number of polls the bytes may take to reach the adapter. A probe that takes longer is read
    /// instead, which harms nobody. For a window there is no bound, since giving up on it fails the response: a stack
    /// that has passed the probe on passes the window on too, be it by way of another task.
    fn poll_fate(
        &self,
        cx: &mut Context<'_>,
        polls: &mut u32,
        patience: Option<u32>,
    ) -> Poll<Fate> {
        self.delivery.register(cx.waker());
        let complete = self.delivery.sent() == self.mapping.len() as u64;
        if self.delivery.dropped() {
            // Nobody can read it any more: the page tables say who did.
            let untouched = complete && !pagemap::was_read(&self.mapping);
            return Poll::Ready(if untouched {
                Fate::Untouched
            } else {
                Fate::Touched
            });
        }
        if !complete && (self.delivery.offered() || patience.is_none()) {
            // Its progress, or the drop of the bytes, wakes this task.
            return Poll::Pending;
        }
        *polls += 1;
        if *polls > patience.unwrap_or(PATIENCE) {
            return Poll::Ready(Fate::Touched);
        }
        // A pending body makes hyper flush what it has, and the adapter sees it in the same turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn violated(delivering: &Delivering) -> io::Error {
    delivering.windows.store(false, Ordering::Relaxed);
    delivering.count(Counter::windows_violated, 1);
    #[cfg(feature = "tracing")]
    tracing::warn!(
        "a layer above tower-zerocopy-fs read or kept a window after leaving the first bytes of the response alone; \
         this response fails, and the service sends without windows from now on"
    );
    io::Error::other(
        "a layer read or kept body bytes that stand for a file; build the service with `windows(Windows::Off)` under it",
    )
}

/// Has the kernel read `range` into the page cache, by sending it to nowhere. Blocks.
fn fill_cache(file: &OpenFile, range: ByteRange) -> io::Result<()> {
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    let mut at = range.start;
    while at < range.end {
        let wanted = (range.end - at) as usize;
        if rustix::fs::sendfile(&nowhere, &file.original.file, Some(&mut at), wanted)? == 0 {
            return Err(crate::fs::file::truncated());
        }
    }
    Ok(())
}
