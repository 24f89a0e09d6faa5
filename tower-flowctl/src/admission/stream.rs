use std::{
    fmt,
    future::Future,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{Connection, Limits, Shared, Transport, place::Place};

/// An admitted connection's transport. It stamps what happens on it, and ends when the connection is told to.
pub struct AdmittedStream<S: Transport> {
    io: S,
    /// What was read after a proxy's header, and belongs to the client.
    prefix: Option<Prefix>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Since the transport was shut down.
    linger: Option<Linger>,
    // After `io`, so that its place is free once the descriptor is.
    place: Place,
}

/// A client that is still sending a request's body when the response has been written: a descriptor that is closed with bytes
/// unread, or that bytes come for after the close, is reset by the kernel, and the reset can overtake the response (RFC 9112,
/// section 9.6). So what comes is read and dropped until the client has closed, or for as long as this.
struct Linger {
    until: Pin<Box<Sleep>>,
}

struct Prefix {
    bytes: Box<[u8]>,
    taken: usize,
}

impl<S: Transport> AdmittedStream<S> {
    pub(crate) fn new(io: S, prefix: Vec<u8>, place: Place, limits: &Limits) -> Self {
        if let Some(bytes) = limits.unsent {
            io.hold_unsent(bytes);
        }
        Self {
            io,
            prefix: (!prefix.is_empty()).then(|| Prefix {
                bytes: prefix.into(),
                taken: 0,
            }),
            reader: None,
            writer: None,
            linger: None,
            place,
        }
    }

    /// The connection's handle.
    pub fn connection(&self) -> Connection {
        Connection(Arc::clone(self.shared()))
    }

    /// The transport below.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    fn shared(&self) -> &Arc<Shared> {
        self.place.shared()
    }

    #[inline]
    fn check_reset(&self) -> io::Result<()> {
        if self.shared().is_reset() {
            return Err(self.reset());
        }
        Ok(())
    }

    #[cold]
    fn reset(&self) -> io::Error {
        self.io.set_reset();
        io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the connection was ended by admission control",
        )
    }
}

/// Whether the cell that `kept` is a copy of has the current task. The task of a connection rarely changes, so that this is
/// one comparison nearly always.
#[inline]
fn is_kept(kept: &Option<Waker>, cx: &Context<'_>) -> bool {
    kept.as_ref()
        .is_some_and(|waker| waker.will_wake(cx.waker()))
}

/// Has `cell` wake the current task.
#[cold]
fn keep(cell: &AtomicWaker, kept: &mut Option<Waker>, cx: &Context<'_>) {
    cell.register(cx.waker());
    *kept = Some(cx.waker().clone());
}

// What is done at every read and write is a handful of instructions, fewer than a call takes; whatever is rarer is a call.
impl<S: Transport> AsyncRead for AdmittedStream<S> {
    #[inline(always)]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.prefix.is_some() {
            return this.read_prefix(buf);
        }
        let before = buf.remaining();
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        let shared = this.place.shared();
        // Whoever is to end is looked at when nothing comes, which is before every wait and so soon enough.
        if read.is_pending() {
            if is_kept(&this.reader, cx) && !shared.is_ending() {
                return Poll::Pending;
            }
            return this.nothing_to_read(cx);
        }
        let count = before - buf.remaining();
        if count > 0 {
            shared.on_read(count);
        }
        read
    }
}

impl<S: Transport> AdmittedStream<S> {
    #[cold]
    fn read_prefix(&mut self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_reset()?;
        let Some(prefix) = &mut self.prefix else {
            return Poll::Ready(Ok(()));
        };
        let rest = &prefix.bytes[prefix.taken..];
        let count = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..count]);
        prefix.taken += count;
        if prefix.taken == prefix.bytes.len() {
            self.prefix = None;
        }
        self.shared().on_read(count);
        Poll::Ready(Ok(()))
    }

    /// The task is a new one, or the connection is to end. A cell is empty once it has woken a task, so in the second case it
    /// is filled at every turn.
    fn nothing_to_read(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let shared = self.place.shared();
        keep(&shared.reader, &mut self.reader, cx);
        self.check_reset()?;
        if self.shared().may_close() {
            // Nothing has come, and nothing is owed: an end of file has hyper close in order.
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// The connection waits for room, or did until now, or is to end.
    #[cold]
    fn look_at_write(
        &mut self,
        cx: &Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let shared = self.place.shared();
        match written {
            Poll::Ready(_) => {
                self.check_reset()?;
                shared.on_room();
                // What was owed may have left with this, and reading is where an end is looked for.
                if shared.is_closing() {
                    shared.reader.wake();
                }
            }
            Poll::Pending => {
                shared.on_blocked();
                if !is_kept(&self.writer, cx) {
                    keep(&shared.writer, &mut self.writer, cx);
                }
                self.check_reset()?;
            }
        }
        written
    }

    #[inline(always)]
    fn write_by(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = write(Pin::new(&mut self.io), cx);
        let shared = self.place.shared();
        if let Poll::Ready(Ok(count)) = written {
            shared.on_write(count);
        }
        if written.is_pending() || shared.is_blocked_or_ending() {
            return self.look_at_write(cx, written);
        }
        written
    }
}

impl<S: Transport> AdmittedStream<S> {
    /// Reads and drops what comes, until the client has closed, the time is over, or the descriptor is wanted.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.place.shared();
        keep(&shared.reader, &mut self.reader, cx);
        let is_over = |linger: &mut Linger| linger.until.as_mut().poll(cx).is_ready();
        if !shared.may_linger() || self.linger.as_mut().is_none_or(is_over) {
            return Poll::Ready(());
        }
        let mut scrap = [MaybeUninit::uninit(); 8 << 10];
        loop {
            let mut buf = ReadBuf::uninit(&mut scrap);
            let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: Transport> AsyncWrite for AdmittedStream<S> {
    #[inline(always)]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write_by(cx, |io, cx| io.poll_write(cx, buf))
    }

    #[inline(always)]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .write_by(cx, |io, cx| io.poll_write_vectored(cx, bufs))
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    #[inline(always)]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            let shared = this.place.shared();
            if !shared.is_unread() || !shared.may_linger() {
                return Poll::Ready(Ok(()));
            }
            let patience = shared.core.limits.load().linger;
            this.linger = Some(Linger {
                until: Box::pin(sleep(patience)),
            });
        }
        this.poll_unread(cx).map(Ok)
    }
}

impl<S: Transport> Transport for AdmittedStream<S> {
    fn set_reset(&self) {
        self.io.set_reset();
    }

    fn descriptor(&self) -> Option<i32> {
        self.io.descriptor()
    }

    fn hold_unsent(&self, bytes: u32) {
        self.io.hold_unsent(bytes);
    }
}

impl<S: Transport> fmt::Debug for AdmittedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AdmittedStream")
            .field(&self.connection())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::admission::{Admission, Cut};

    /// A connection whose response has been written, and whose client sends what nobody reads. With the client's end.
    fn unread(admission: &Admission) -> (AdmittedStream<DuplexStream>, DuplexStream) {
        let (io, client) = duplex(1);
        let place = admission.core().enter(0).take(None, &Default::default());
        let stream = AdmittedStream::new(io, Vec::new(), place, &admission.limits());
        let connection = stream.connection();
        connection.established();
        drop(connection.begin());
        connection.0.leave_unread(1);
        (stream, client)
    }

    fn is_shut_down(stream: &mut AdmittedStream<DuplexStream>) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(stream).poll_shutdown(&mut cx).is_ready()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_lingers_whose_descriptor_is_wanted() {
        type Want = fn(&Shared);
        let wanted: [(&str, Want); 3] = [
            ("by a newcomer", |shared| shared.core.set_crowded()),
            ("as the longest idle", |shared| shared.close(Cut::Reclaimed)),
            ("under pressure", |shared| {
                shared.core.descriptors.exhausted();
            }),
        ];
        for (why, want) in wanted {
            let admission = Admission::builder().build().unwrap();
            let (mut early, _client) = unread(&admission);
            assert!(!is_shut_down(&mut early), "{why}");
            want(early.shared());
            assert!(is_shut_down(&mut early), "{why}");
            let (mut late, _client) = unread(&admission);
            want(late.shared());
            assert!(is_shut_down(&mut late), "{why}");
        }
        // A drain is not in need of it.
        let admission = Admission::builder().build().unwrap();
        let (mut drained, _client) = unread(&admission);
        drained.shared().close(Cut::Drained);
        assert!(!is_shut_down(&mut drained));
    }
}
