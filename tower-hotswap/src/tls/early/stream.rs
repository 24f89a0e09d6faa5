//! A stream that gives out early data before the handshake has ended, which tokio-rustls's does not.

use std::{
    fmt, io,
    io::{IoSlice, Read, Write},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};
use tokio_rustls::{
    StartHandshake,
    rustls::{ServerConfig, ServerConnection},
};

use super::{EarlyData, Phase};

/// What is left of a handshake after early data was accepted, where the caller has set no deadline.
const REST: Duration = Duration::from_secs(10);

/// A connection of a configuration that accepts early data, from its ClientHello on.
///
/// It answers before the handshake has ended, as the configuration has `send_half_rtt_data`. Reading drives what is left
/// of the handshake, so that it ends without anybody waiting for it.
pub(in crate::tls) struct EarlyStream<IO> {
    io: IO,
    connection: ServerConnection,
    /// There, if early data was accepted.
    early: Option<EarlyData>,
    /// The handshake goes on, or something of it is still to be read or sent. Until then reading writes, and shutting down
    /// reads, so that either side's task may be the one whose waker the stream below keeps.
    beginning: bool,
    halves: Arc<Halves>,
    /// When the handshake has to have ended.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The end was announced to the client.
    closed: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> EarlyStream<IO> {
    /// Goes on with a handshake until it ends, or early data is accepted; what is left then has to end by the deadline, or
    /// within [`REST`] without one.
    pub(in crate::tls) async fn accept(
        start: StartHandshake<IO>,
        config: Arc<ServerConfig>,
        deadline: Option<Instant>,
    ) -> io::Result<Self> {
        let StartHandshake {
            accepted, mut io, ..
        } = start;
        let mut connection = match accepted.into_connection(config) {
            Ok(connection) => connection,
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                // What went wrong before matters more than whether the client hears of it.
                let _ = io.write_all(&bytes).await;
                return Err(invalid(error));
            }
        };
        let early = connection.early_data().is_some();
        let mut stream = Self {
            io,
            connection,
            early: early.then(|| EarlyData(Arc::new(Phase::default()))),
            beginning: true,
            halves: Arc::default(),
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            closed: false,
        };
        std::future::poll_fn(|cx| stream.poll_accept(cx)).await?;
        if stream.connection.is_handshaking() && stream.deadline.is_none() {
            stream.deadline = Some(Box::pin(sleep(REST)));
        }
        Ok(stream)
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What came together with the ClientHello.
        self.process(cx)?;
        loop {
            let sent = self.poll_send(cx)?;
            if self.early.is_some() {
                return Poll::Ready(Ok(()));
            }
            if !self.connection.is_handshaking() {
                return sent.map(Ok);
            }
            ready!(self.poll_receive(cx))?;
        }
    }

    /// Reads early data, if there is some that may be given out, and sends what the handshake has to say.
    fn read_early(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        // What cannot be sent now is sent when this is polled again, as is what keys and tickets take at the end.
        let _: Poll<()> = self.poll_send(cx)?;
        let finished = !self.connection.is_handshaking();
        let allowed = |early: &EarlyData| finished || early.0.taken.load(Ordering::Acquire);
        if self.early.as_ref().is_some_and(allowed)
            && let Some(mut early) = self.connection.early_data()
        {
            let read = early.read(buf.initialize_unfilled())?;
            if read > 0 {
                buf.advance(read);
                return Ok(read);
            }
        }
        self.beginning = !finished || self.connection.wants_write();
        Ok(0)
    }

    /// Takes more from the client.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut io = Blocking {
            io: &mut self.io,
            cx,
        };
        let received = self.connection.read_tls(&mut io);
        let handshaking = self.connection.is_handshaking();
        match received {
            Ok(0) if handshaking => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Poll::Ready(self.process(cx)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let late = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(cx).is_ready();
                if handshaking && self.deadline.as_mut().is_some_and(late) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn process(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Err(error) = self.connection.process_new_packets() {
            // What went wrong before matters more than whether the client hears of it.
            let _ = self.poll_write_tls(cx);
            return Err(invalid(error));
        }
        if !self.connection.is_handshaking() {
            self.deadline = None;
            if let Some(early) = &self.early {
                early.0.finished.store(true, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Writes what is to be sent to the stream below, and that on.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_tls(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_write_tls(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.wants_write() {
            let mut io = Blocking {
                io: &mut self.io,
                cx,
            };
            match self.connection.write_tls(&mut io) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// A waker to poll the stream below by in place of the caller's, if it is not enough to wake that one.
    fn waker(&self, half: Half, cx: &Context<'_>) -> Option<Waker> {
        self.beginning.then(|| self.halves.waker(half, cx.waker()))
    }

    /// Encrypts by `write`, once all before is sent, and sends what of it can be sent. Were it encrypted as rustls's buffer gets
    /// room, a slow client would get records of a few bytes.
    fn poll_encrypt(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(&mut ServerConnection) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let waker = self.waker(Half::Write, cx);
        let cx = &mut Context::from_waker(waker.as_ref().unwrap_or(cx.waker()));
        ready!(self.poll_write_tls(cx))?;
        let written = write(&mut self.connection)?;
        let _: Poll<()> = self.poll_write_tls(cx)?;
        Poll::Ready(Ok(written))
    }
}

impl<IO> EarlyStream<IO> {
    pub(in crate::tls) fn get_ref(&self) -> (&IO, &ServerConnection) {
        (&self.io, &self.connection)
    }

    /// That early data was accepted.
    pub(in crate::tls) fn is_early(&self) -> bool {
        self.early.is_some()
    }

    /// Lets early data through.
    pub(in crate::tls) fn take_early_data(&self) -> Option<EarlyData> {
        let early = self.early.as_ref()?;
        early.0.taken.store(true, Ordering::Release);
        Some(early.clone())
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for EarlyStream<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let waker = this.waker(Half::Read, cx);
        let cx = &mut Context::from_waker(waker.as_ref().unwrap_or(cx.waker()));
        loop {
            if this.beginning && this.read_early(cx, buf)? > 0 {
                return Poll::Ready(Ok(()));
            }
            if !this.connection.is_handshaking() {
                match this.connection.reader().read(buf.initialize_unfilled()) {
                    Ok(read) => {
                        buf.advance(read);
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            ready!(this.poll_receive(cx))?;
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for EarlyStream<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = |connection: &mut ServerConnection| connection.writer().write(bytes);
        self.get_mut().poll_encrypt(cx, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = |connection: &mut ServerConnection| connection.writer().write_vectored(slices);
        self.get_mut().poll_encrypt(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let waker = this.waker(Half::Write, cx);
        let cx = &mut Context::from_waker(waker.as_ref().unwrap_or(cx.waker()));
        this.poll_send(cx)
    }

    /// Waits for the end of the handshake first: the system would meet a `Finished` that comes later with a reset, which can
    /// overtake the answer, and the client would get no ticket.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let waker = this.waker(Half::Write, cx);
        let cx = &mut Context::from_waker(waker.as_ref().unwrap_or(cx.waker()));
        if !this.closed {
            ready!(this.poll_send(cx))?;
            while this.connection.is_handshaking() {
                ready!(this.poll_receive(cx))?;
            }
            this.connection.send_close_notify();
            this.closed = true;
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

impl<IO: fmt::Debug> fmt::Debug for EarlyStream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyStream")
            .field("io", &self.io)
            .field("early", &self.early)
            .field("handshaking", &self.connection.is_handshaking())
            .finish_non_exhaustive()
    }
}

/// The tasks of the two halves of a stream, which may be different ones. A stream keeps one waker for each direction, so that
/// the later poll would put the other task out of it; as a waker this wakes both.
#[derive(Debug, Default)]
struct Halves(Mutex<[Option<Waker>; 2]>);

#[derive(Debug, Clone, Copy)]
enum Half {
    Read,
    Write,
}

impl Halves {
    /// The waker of both, after the one of `half` is this.
    fn waker(self: &Arc<Self>, half: Half, own: &Waker) -> Waker {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut wakers[half as usize] {
            Some(known) => known.clone_from(own),
            unknown => *unknown = Some(own.clone()),
        }
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Halves {
    fn wake(self: Arc<Self>) {
        let wakers = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// The stream below as rustls wants it: what would wait is an error, and the task is woken.
struct Blocking<'a, 'b, IO> {
    io: &'a mut IO,
    cx: &'a mut Context<'b>,
}

impl<IO: AsyncRead + Unpin> Read for Blocking<'_, '_, IO> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(bytes);
        let polled = Pin::new(&mut *self.io).poll_read(self.cx, &mut buf);
        at_once(polled).map(|()| buf.filled().len())
    }
}

impl<IO: AsyncWrite + Unpin> Write for Blocking<'_, '_, IO> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        at_once(Pin::new(&mut *self.io).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        at_once(Pin::new(&mut *self.io).poll_write_vectored(self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        at_once(Pin::new(&mut *self.io).poll_flush(self.cx))
    }
}

fn at_once<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn invalid(error: tokio_rustls::rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
