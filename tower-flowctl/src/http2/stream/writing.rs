//! Bytes of hyper, on their way to the client, and our own among them.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{PriorityStream, empty, ending::End};
use crate::http2::{
    LowWaterMark,
    connection::State,
    frame::{HEAD, Head, flag, kind, setting},
    inbound::LIST_GROWTH,
    outbound::{Next, WINDOW_UPDATE, copy_at},
    pace::Pace,
    socket,
    together::is_response,
};

impl<Io: AsyncRead + AsyncWrite + Unpin> PriorityStream<Io> {
    /// Writes our own bytes out.
    #[inline]
    pub(super) fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.own.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.poll_rest(cx)
    }

    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.own.len() {
            let rest = &self.own[self.written..];
            let length = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += length;
        }
        self.written = 0;
        empty(&mut self.own);
        Poll::Ready(Ok(()))
    }

    /// Writes what is not HTTP/2, or puts it with what is to go together.
    pub(super) fn write_opaque(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(together) = &mut self.together {
            let length: usize = slices.iter().map(|slice| slice.len()).sum();
            if together.takes(slices, self.own.len() + length) {
                for slice in slices {
                    self.own.extend_from_slice(slice);
                }
                return Poll::Ready(Ok(length));
            }
            together.written();
            ready!(self.poll_own(cx))?;
        }
        let io = Pin::new(&mut self.io);
        match slices {
            [slice] => io.poll_write(cx, slice),
            slices if is_small_response(slices) => {
                let mut piece = [0; PIECE];
                io.poll_write(cx, gathered(slices, &mut piece))
            }
            slices => io.poll_write_vectored(cx, slices),
        }
    }

    /// Tells the client of windows that have grown.
    #[inline]
    pub(super) fn poll_windows(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.connection.keeps_windows() && self.introduced && self.outbound.is_between_frames() {
            return self.poll_updates(cx);
        }
        Ok(())
    }

    pub(super) fn poll_updates(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(windows) = &mut self.connection.lock().windows
            && windows.is_due()
        {
            windows.write(&mut self.own);
        }
        if !self.own.is_empty() && self.poll_own(cx)?.is_ready() {
            // What does not go now goes with what is written next.
            let _ = Pin::new(&mut self.io).poll_flush(cx)?;
        }
        Ok(())
    }

    /// Takes the server's first SETTINGS out, to add an entry and to leave room for our field in header lists. Returns how
    /// many of hyper's bytes that takes.
    pub(super) fn introduce(&mut self, slices: &[IoSlice<'_>]) -> usize {
        let mut frame = [0; HEAD + 256];
        let length = copy_at(slices, 0, &mut frame);
        let head = Head::parse(&frame[..length]);
        let Some(head) = head.filter(|head| head.kind == kind::SETTINGS && !head.has(flag::ACK))
        else {
            self.introduced = true;
            return 0;
        };
        let whole = HEAD + head.length;
        self.introduced = true;
        if length < whole {
            // hyper writes its SETTINGS at once. Should it not, they go as they are.
            return 0;
        }
        let grown = Head {
            length: head.length + 6,
            ..head
        };
        self.own.extend_from_slice(&grown.bytes());
        for entry in frame[HEAD..whole].chunks_exact_mut(6) {
            let [a, b, value @ ..] = entry else { continue };
            let Some(value) = value.first_chunk_mut::<4>() else {
                continue;
            };
            let set = u32::from_be_bytes(*value);
            let set = match u16::from_be_bytes([*a, *b]) {
                setting::MAX_HEADER_LIST_SIZE => set.saturating_sub(LIST_GROWTH),
                setting::INITIAL_WINDOW_SIZE => match &mut self.connection.lock().windows {
                    Some(windows) => windows.advertise(set),
                    None => set,
                },
                _ => set,
            };
            *value = set.to_be_bytes();
        }
        self.own.extend_from_slice(&frame[HEAD..whole]);
        let [a, b] = setting::NO_RFC7540_PRIORITIES.to_be_bytes();
        self.own.extend_from_slice(&[a, b, 0, 0, 0, 1]);
        self.connection.config().metrics.connected();
        whole
    }

    pub(super) fn write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        send: impl FnOnce(Pin<&mut Io>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.is_ending() {
            // hyper need not know before it reads: it may have more important things to finish.
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        self.poll_windows(cx)?;
        if self.poll_own(cx)?.is_pending() {
            return self.wait_for_room(cx, slices);
        }
        if !self.introduced {
            let taken = self.introduce(slices);
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
        }
        let mut most = usize::MAX;
        if self.connection.keeps_windows() {
            match self.outbound.next_window_update(slices) {
                Next::Bytes(bytes) => most = bytes,
                Next::WindowUpdate { stream, increment } => {
                    if let Some(windows) = &mut self.connection.lock().windows {
                        windows.hyper_grows(stream, increment);
                    }
                    return Poll::Ready(Ok(WINDOW_UPDATE));
                }
            }
        }
        // TLS takes some 64 KiB more than the socket. What it holds goes first, so that no more than a frame waits there.
        if Pin::new(&mut self.io).poll_flush(cx)?.is_pending() {
            return self.wait_for_room(cx, slices);
        }
        let goes_on = self.cork(slices);
        let sent = match send(Pin::new(&mut self.io), cx, most) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => return self.wait_for_room(cx, slices),
        };
        if !goes_on {
            self.uncork();
        }
        let Self {
            connection,
            outbound,
            pace,
            abuse,
            ..
        } = self;
        let limit = pace.limit();
        connection.change(|state| {
            outbound.passed(slices, sent, &mut |event| {
                state.on(connection.config(), event);
            });
            pace.took(sent);
            settle(pace, state);
            *abuse = state.abuse;
        });
        if self.mark == 0 || self.pace.limit() != limit {
            self.set_mark();
        }
        Poll::Ready(Ok(sent))
    }

    /// The transport takes no more for now. Whoever holds it up is looked after here as well: h2 does not read while it cannot
    /// answer a PING or SETTINGS, so that one of those would otherwise put a client out of sight that reads nothing.
    fn wait_for_room(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.full();
        ready!(self.watch(cx));
        self.is_ending();
        // As if it were written, so that hyper goes on to read and hears of the end.
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    /// The transport takes no more for now.
    pub(super) fn full(&mut self) {
        self.pace.full(Instant::now());
        let Self {
            connection, pace, ..
        } = self;
        connection.change(|state| settle(pace, state));
        self.set_mark();
    }

    pub(super) fn set_mark(&mut self) {
        #[cfg(unix)]
        {
            let mark = match self.connection.config().low_water_mark {
                LowWaterMark::Adaptive => self.pace.low_water_mark(),
                LowWaterMark::Fixed(bytes) => bytes as usize,
                LowWaterMark::System => return,
            };
            if socket::differs(self.mark, mark)
                && let Some(socket) = (self.socket)(&self.io)
            {
                socket::hold_unsent(socket, mark);
                self.mark = mark;
            }
        }
    }
}

/// Tells the scheduler what the transport can take.
fn settle(pace: &mut Pace, state: &mut State) {
    if state.scheduler.is_dry() {
        pace.ran_dry();
    }
    state.scheduler.set_pace(pace.limit(), pace.quantum());
}

/// The most that is copied to be written in one piece. writev(2) takes longer than send(2), and the difference is more than to
/// copy so much.
const PIECE: usize = 1 << 10;

/// Whether a response is there as a whole, or at least its beginning, and fits into one piece. What stands for a file, to be sent by
/// `sendfile(2)` below, is always larger.
fn is_small_response(slices: &[IoSlice<'_>]) -> bool {
    slices.first().is_some_and(|head| is_response(head))
        && slices
            .iter()
            .fold(0, |sum: usize, slice| sum.saturating_add(slice.len()))
            <= PIECE
}

/// What fits, one behind the other.
fn gathered<'a>(slices: &[IoSlice<'_>], piece: &'a mut [u8; PIECE]) -> &'a [u8] {
    let mut length = 0;
    for slice in slices {
        piece[length..][..slice.len()].copy_from_slice(slice);
        length += slice.len();
    }
    &piece[..length]
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PriorityStream<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.inbound.is_opaque() {
            return this.write_opaque(cx, &[IoSlice::new(bytes)]);
        }
        this.write(cx, &[IoSlice::new(bytes)], |io, cx, most| {
            io.poll_write(cx, &bytes[..most.min(bytes.len())])
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.inbound.is_opaque() {
            return this.write_opaque(cx, slices);
        }
        this.write(cx, slices, |io, cx, most| {
            if most == usize::MAX {
                return io.poll_write_vectored(cx, slices);
            }
            // Only what comes before the next frame that is not for the client.
            let mut whole = 0;
            let mut length = 0;
            while whole < slices.len() && length + slices[whole].len() <= most {
                length += slices[whole].len();
                whole += 1;
            }
            if let (0, Some(first)) = (whole, slices.first()) {
                return io.poll_write(cx, &first[..most]);
            }
            io.poll_write_vectored(cx, &slices[..whole])
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.end != End::Open {
            return Poll::Ready(Ok(()));
        }
        if let Some(together) = &mut this.together
            && together.puts_off(cx)
        {
            return Poll::Ready(Ok(()));
        }
        this.poll_windows(cx)?;
        let mut flushed = this.poll_own(cx)?;
        if flushed.is_ready() {
            flushed = Pin::new(&mut this.io).poll_flush(cx)?;
        }
        // TLS takes a frame whole, so a full socket shows when hyper flushes it and not when it writes.
        if flushed.is_pending() && !this.inbound.is_opaque() {
            return this.wait_for_room(cx, &[]).map_ok(|_| ());
        }
        this.flushed();
        flushed.map(Ok)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.end == End::Open {
            ready!(this.poll_own(cx))?;
        }
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}
