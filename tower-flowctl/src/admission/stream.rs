use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Connection, Shared, Transport, core::Place};

/// An admitted connection's transport. It stamps what happens on it, and ends when the connection is told to.
pub struct AdmittedStream<S: Transport> {
    io: S,
    /// What was read after a proxy's header, and belongs to the client.
    prefix: Option<Prefix>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    // After `io`, so that its place is free once the descriptor is.
    place: Place,
}

struct Prefix {
    bytes: Box<[u8]>,
    taken: usize,
}

impl<S: Transport> AdmittedStream<S> {
    pub(crate) fn new(io: S, prefix: Vec<u8>, place: Place) -> Self {
        Self {
            io,
            prefix: (!prefix.is_empty()).then(|| Prefix {
                bytes: prefix.into(),
                taken: 0,
            }),
            reader: None,
            writer: None,
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

    fn check_reset(&self) -> io::Result<()> {
        if !self.shared().is_reset() {
            return Ok(());
        }
        self.io.set_reset();
        Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the connection was ended by admission control",
        ))
    }
}

/// Has `cell` wake the current task. The task of a connection rarely changes, so that this is mostly one comparison.
fn register(cell: &AtomicWaker, kept: &mut Option<Waker>, cx: &Context<'_>, again: bool) {
    if !again
        && kept
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
    {
        return;
    }
    cell.register(cx.waker());
    *kept = Some(cx.waker().clone());
}

impl<S: Transport> AsyncRead for AdmittedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_reset()?;
        if let Some(prefix) = &mut this.prefix {
            let rest = &prefix.bytes[prefix.taken..];
            let count = rest.len().min(buf.remaining());
            buf.put_slice(&rest[..count]);
            prefix.taken += count;
            if prefix.taken == prefix.bytes.len() {
                this.prefix = None;
            }
            this.shared().on_read(count);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let count = buf.filled().len() - before;
                if count > 0 {
                    this.place.shared().on_read(count);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let shared = this.place.shared();
                // Woken once, a cell is empty: while a close is asked for it is filled at every turn.
                register(&shared.reader, &mut this.reader, cx, shared.is_closing());
                if shared.is_closing() || shared.is_reset() {
                    this.check_reset()?;
                    if this.shared().may_close() {
                        // Nothing has come, and nothing is owed: an end of file has hyper close in order.
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Pending
            }
        }
    }
}

impl<S: Transport> AdmittedStream<S> {
    fn after_write(
        &mut self,
        cx: &Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let shared = self.place.shared();
        match written {
            Poll::Ready(Ok(count)) => shared.on_write(count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                shared.on_blocked();
                register(&shared.writer, &mut self.writer, cx, false);
                self.check_reset()?;
            }
        }
        written
    }
}

impl<S: Transport> AsyncWrite for AdmittedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_reset()?;
        let written = Pin::new(&mut this.io).poll_write(cx, buf);
        this.after_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_reset()?;
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.after_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

impl<S: Transport> Transport for AdmittedStream<S> {
    fn set_reset(&self) {
        self.io.set_reset();
    }

    fn descriptor(&self) -> Option<i32> {
        self.io.descriptor()
    }
}

impl<S: Transport> fmt::Debug for AdmittedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AdmittedStream")
            .field(&self.connection())
            .finish()
    }
}
