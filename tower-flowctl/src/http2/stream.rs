//! The stream adapter between hyper and the transport.

use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{
    Http2Config, LowWaterMark, Reason,
    connection::{Connection, State},
    flood::Abuse,
    frame::{HEAD, Head, SMALLEST_MAX_PAYLOAD, flag, kind, setting},
    identity,
    inbound::{Inbound, LIST_GROWTH, Step},
    outbound::{Next, Outbound, WINDOW_UPDATE, copy_at},
    pace::Pace,
    socket,
    together::Together,
};

/// A stream that knows the HTTP/2 frames it carries.
///
/// Put it right under hyper, above TLS. A connection that turns out not to be HTTP/2 passes through it untouched.
///
/// Usually `PriorityListener` or `serve` make it. By hand, its connection and
/// the [`PriorityLayer`](super::PriorityLayer) find each other without help:
///
/// ```no_run
/// # async fn accept(app: axum::Router) -> std::io::Result<()> {
/// use hyper_util::{rt::{TokioExecutor, TokioIo}, server::conn::auto, service::TowerToHyperService};
/// use tower::Layer;
/// use tower_flowctl::http2::{Http2Config, PriorityLayer, PriorityStream};
///
/// let service = PriorityLayer::new().layer(app);
/// let config = Http2Config::default();
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// loop {
///     let (socket, _) = listener.accept().await?;
///     let io = TokioIo::new(PriorityStream::new(socket, &config));
///     let service = TowerToHyperService::new(service.clone());
///     tokio::spawn(async move {
///         auto::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
///     });
/// }
/// # }
/// ```
pub struct PriorityStream<Io> {
    io: Io,
    connection: Arc<Connection>,
    /// Whether services find the connection by its key.
    registered: bool,
    inbound: Inbound,
    /// Bytes that came and are not understood yet, the front of a frame.
    held: Vec<u8>,
    /// Bytes for hyper that could not stay where they were read, and how many of them it has.
    ready: Vec<u8>,
    given: usize,
    outbound: Outbound,
    /// Bytes for the transport that do not come from hyper as they are, and how many of them it has.
    own: Vec<u8>,
    written: usize,
    /// Whether the first SETTINGS was changed.
    introduced: bool,
    /// Of HTTP/1, whether and which responses go out together.
    together: Option<Together>,
    pace: Pace,
    mark: usize,
    #[cfg(unix)]
    socket: socket::SocketOf<Io>,
    watch: Option<Pin<Box<Sleep>>>,
    /// What the client did that ends the connection.
    abuse: Option<Reason>,
    end: End,
}

/// How a connection ends that was closed on its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// GOAWAY is being written.
    Telling(Reason),
    /// What the client still sends is read, so that the kernel does not answer it with a reset that overtakes GOAWAY.
    Lingering(Reason),
    Ended(Reason),
}

/// How long a client may take to hear that it is cut off.
const LINGER: Duration = Duration::from_secs(1);

/// Buffers that have grown beyond this are given back when they are empty.
const KEPT: usize = 4 << 10;

impl<Io: 'static> PriorityStream<Io> {
    /// Wraps a stream. Without [`PriorityLayer`](super::PriorityLayer) around the service it only watches for abuse.
    pub fn new(io: Io, config: &Http2Config) -> Self {
        let connection = Arc::new(Connection::new(config.clone()));
        identity::register(&connection);
        let mut stream = Self::with_connection(io, connection);
        stream.registered = true;
        stream
    }

    /// Wraps a stream for a service that knows the connection already.
    pub(crate) fn with_connection(io: Io, connection: Arc<Connection>) -> Self {
        let mut inbound = Inbound::default();
        if connection.keeps_windows() {
            inbound.expect_probes();
        }
        Self {
            io,
            connection,
            registered: false,
            inbound,
            held: Vec::new(),
            ready: Vec::new(),
            given: 0,
            outbound: Outbound::default(),
            own: Vec::new(),
            written: 0,
            introduced: false,
            together: None,
            pace: Pace::default(),
            mark: 0,
            #[cfg(unix)]
            socket: socket::of_tokio,
            watch: None,
            abuse: None,
            end: End::Open,
        }
    }
}

impl<Io> PriorityStream<Io> {
    /// Says where the socket is, for [`LowWaterMark`]. A `tokio::net::TcpStream` is found without help.
    #[cfg(unix)]
    #[must_use]
    pub fn socket(mut self, socket: fn(&Io) -> Option<std::os::fd::BorrowedFd<'_>>) -> Self {
        self.socket = socket;
        self
    }

    /// Has responses to pipelined requests of HTTP/1 go out together. For hyper only, which flushes at the end of each poll.
    #[cfg(feature = "serve")]
    #[must_use]
    pub(crate) fn together(mut self, wanted: bool) -> Self {
        self.together = wanted.then(Together::default);
        self
    }

    /// The wrapped stream.
    pub fn get_ref(&self) -> &Io {
        &self.io
    }

    /// Takes in bytes from the transport. Returns how many of them go on where they are; the others, if any, are in
    /// `ready` and `held` then.
    fn digest(&mut self, bytes: &[u8], mut in_place: bool) -> usize {
        let Self {
            connection,
            inbound,
            held,
            ready,
            abuse,
            ..
        } = self;
        let mut at = 0;
        let mut kept = 0;
        connection.change(|state| {
            let mut tell = |event: super::frame::Event<'_>| state.on(connection.config(), event);
            while at < bytes.len() {
                match inbound.step(&bytes[at..], &mut tell) {
                    Step::Pass(length) => {
                        if in_place {
                            kept += length;
                        } else {
                            ready.extend_from_slice(&bytes[at..at + length]);
                        }
                        at += length;
                    }
                    Step::Name(named) => {
                        in_place = false;
                        let frame = &bytes[at..at + named.length()];
                        named.write(connection.prefix(), frame, ready);
                        at += named.length();
                    }
                    Step::Drop(length) => {
                        in_place = false;
                        at += length;
                    }
                    Step::More => {
                        held.extend_from_slice(&bytes[at..]);
                        break;
                    }
                }
            }
            *abuse = state.abuse;
        });
        kept
    }

    /// Hands out what is ready.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = &self.ready[self.given..];
        let length = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..length]);
        self.given += length;
        if self.given == self.ready.len() {
            self.given = 0;
            empty(&mut self.ready);
        }
    }

    /// Takes what the transport read into `buf` behind `start`.
    fn take_in(&mut self, buf: &mut ReadBuf<'_>, start: usize) {
        if self.held.is_empty() {
            let kept = self.digest(&buf.filled()[start..], true);
            buf.set_filled(start + kept);
        } else {
            let mut bytes = std::mem::take(&mut self.held);
            bytes.extend_from_slice(&buf.filled()[start..]);
            buf.set_filled(start);
            self.digest(&bytes, false);
            if self.held.is_empty() {
                self.held = bytes;
                empty(&mut self.held);
            }
        }
        self.give(buf);
    }
}

fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> PriorityStream<Io> {
    /// Writes our own bytes out.
    #[inline]
    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.own.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.poll_rest(cx)
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    /// Reads what is not HTTP/2.
    fn read_opaque(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if let Some(together) = &mut self.together
            && together.read(cx, buf.filled().len() > before)
        {
            // What does not go now goes with what is written next, or with the next flush.
            let _ = self.poll_own(cx)?;
        }
        read
    }

    /// Writes what is not HTTP/2, or puts it with what is to go together.
    fn write_opaque(
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
        match slices {
            [slice] => Pin::new(&mut self.io).poll_write(cx, slice),
            slices => Pin::new(&mut self.io).poll_write_vectored(cx, slices),
        }
    }

    /// Tells the client of windows that have grown.
    #[inline]
    fn poll_windows(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.connection.keeps_windows() && self.introduced && self.outbound.is_between_frames() {
            return self.poll_updates(cx);
        }
        Ok(())
    }

    fn poll_updates(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
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

    /// Leaves a waker for the connection's task, and looks after clients that hold responses up.
    fn watch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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

    fn watch_at(&mut self, end: Instant) -> &mut Pin<Box<Sleep>> {
        self.watch
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)))
    }

    /// Ends the connection of a client that went too far.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.watch_at(Instant::now() + LINGER).as_mut().poll(cx)
    }

    /// Begins the end, if the client went too far.
    fn is_ending(&mut self) -> bool {
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

    /// Takes the server's first SETTINGS out, to add an entry and to leave room for our field in header lists. Returns how
    /// many of hyper's bytes that takes.
    fn introduce(&mut self, slices: &[IoSlice<'_>]) -> usize {
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

    fn write(
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
        ready!(self.poll_own(cx))?;
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
            self.full();
            return Poll::Pending;
        }
        let sent = match send(Pin::new(&mut self.io), cx, most) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => {
                self.full();
                return Poll::Pending;
            }
        };
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

    /// The transport takes no more for now.
    fn full(&mut self) {
        self.pace.full(Instant::now());
        let Self {
            connection, pace, ..
        } = self;
        connection.change(|state| settle(pace, state));
        self.set_mark();
    }

    fn set_mark(&mut self) {
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

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for PriorityStream<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ready.is_empty() {
            this.give(buf);
            return Poll::Ready(Ok(()));
        }
        if this.inbound.is_opaque() {
            return this.read_opaque(cx, buf);
        }
        loop {
            if this.is_ending() {
                return this.poll_end(cx);
            }
            this.poll_windows(cx)?;
            let start = buf.filled().len();
            if Pin::new(&mut this.io).poll_read(cx, buf)?.is_pending() {
                // Ready here is not good news.
                ready!(this.watch(cx));
                continue;
            }
            if buf.filled().len() == start {
                // The end. What was held is no frame and never will be.
                this.ready = std::mem::take(&mut this.held);
                this.give(buf);
                return Poll::Ready(Ok(()));
            }
            this.take_in(buf, start);
            if buf.filled().len() > start {
                return Poll::Ready(Ok(()));
            }
        }
    }
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
        ready!(this.poll_own(cx))?;
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        // TLS takes a frame whole, so a full socket shows when hyper flushes it and not when it writes.
        if flushed.is_pending() && !this.inbound.is_opaque() {
            this.full();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.end == End::Open {
            ready!(this.poll_own(cx))?;
        }
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

impl<Io> Drop for PriorityStream<Io> {
    fn drop(&mut self) {
        if self.registered {
            identity::deregister(self.connection.key());
        }
    }
}

impl<Io: fmt::Debug> fmt::Debug for PriorityStream<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriorityStream")
            .field("io", &self.io)
            .field("connection", &self.connection)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
