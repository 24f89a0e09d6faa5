//! The stream adapter between hyper and the socket.

use std::{
    fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use super::{
    limit::RateLimit,
    turn::{TURN, Turn},
};
use crate::metrics::{Counter, Metrics};

/// What a [`ZeroCopyStream`] is to do besides sending.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ZeroCopyConfig {
    /// Where to count; nowhere by default.
    pub metrics: Option<Arc<Metrics>>,
    /// The most bytes a second each connection sends, with bursts of a quarter of a second; unlimited by default.
    pub bytes_per_second: Option<u64>,
}

/// A TCP stream that sends the bodies of [`ServeFiles`](crate::ServeFiles) by `sendfile(2)`.
///
/// Hyper hands each write to its transport as slices, and never looks into those of a body. Where a slice is one of
/// this crate's regions, the stream has the kernel send the file behind it; all others it writes as they are, so it
/// can carry any protocol. It also gives way to other tasks after every 256 KiB, whoever made the bytes.
///
/// Put it right on the socket, below all other wrappers of the stream: what the kernel sends passes nobody in between, so
/// that a wrapper below would miss it. Wrappers around it see every write, and leave `sendfile(2)` possible as long as
/// they forward `poll_write_vectored` and `is_write_vectored`. What encrypts (TLS) or copies (HTTP/2 frames,
/// `pipeline_flush`) above it makes new slices, which are then written as they are. The socket's own settings can be
/// reached through [`AsRef`] and [`AsFd`](std::os::fd::AsFd). On systems other than Linux it writes everything.
///
/// ```no_run
/// # async fn accept() -> std::io::Result<()> {
/// use hyper_util::rt::TokioIo;
/// use tower_zerocopy_fs::{ServeFiles, ZeroCopyStream};
///
/// let service = hyper_util::service::TowerToHyperService::new(ServeFiles::new("public"));
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// loop {
///     let (socket, _) = listener.accept().await?;
///     let connection = hyper::server::conn::http1::Builder::new()
///         .serve_connection(TokioIo::new(ZeroCopyStream::new(socket)), service.clone());
///     tokio::spawn(connection);
/// }
/// # }
/// ```
pub struct ZeroCopyStream {
    socket: TcpStream,
    metrics: Option<Arc<Metrics>>,
    limit: Option<RateLimit>,
    turn: Turn,
    #[cfg(target_os = "linux")]
    _adapter: super::registry::Adapter,
}

impl ZeroCopyStream {
    /// Wraps a connected socket.
    pub fn new(socket: TcpStream) -> Self {
        Self::with_config(socket, &ZeroCopyConfig::default())
    }

    /// Wraps a connected socket, counting and limiting as `config` says.
    ///
    /// Sets `TCP_NODELAY`, since the stream itself tells the kernel where more follows: without it the last segment of a
    /// response may wait for the client's delayed acknowledgement, 40 ms as a rule.
    pub fn with_config(socket: TcpStream, config: &ZeroCopyConfig) -> Self {
        // A socket that refuses is closed already, which its first use will say.
        let _ = socket.set_nodelay(true);
        Self {
            socket,
            metrics: config.metrics.clone(),
            limit: config.bytes_per_second.map(RateLimit::new),
            turn: Turn::new(),
            #[cfg(target_os = "linux")]
            _adapter: super::registry::Adapter::new(),
        }
    }

    /// The socket.
    pub fn get_ref(&self) -> &TcpStream {
        &self.socket
    }

    /// Unwraps the socket. Bytes of this crate's windows must not be written to it.
    pub fn into_inner(self) -> TcpStream {
        self.socket
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// As [`TcpStream::peer_addr`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// Ready with the bytes that may be sent now.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let allowed = match &mut self.limit {
            Some(limit) => ready!(limit.poll_ready(cx)),
            None => usize::MAX,
        };
        if ready!(self.turn.poll_ready(cx)) {
            self.count(Counter::yields, 1);
        }
        Poll::Ready(allowed.min(TURN))
    }

    fn after_send(&mut self, sent: usize) {
        self.turn.sent(sent);
        if let Some(limit) = &mut self.limit {
            limit.sent(sent);
        }
    }

    fn count(&self, counter: Counter, n: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.add(counter, n);
        }
    }

    /// Tries `send` whenever the socket may be written to, until it says something else than "not now".
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            match self
                .socket
                .try_io(Interest::WRITABLE, || send(&self.socket))
            {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(sent) => {
                    self.after_send(sent);
                    return Poll::Ready(Ok(sent));
                }
            }
        }
    }

    /// Writes slices as they are, at most `allowed` bytes of them.
    fn poll_write_plain(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        allowed: usize,
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|s| !s.is_empty());
        let sent = match first {
            // A slice beyond the allowance goes alone and in part.
            Some(first) if slices.iter().map(|s| s.len()).sum::<usize>() > allowed => {
                let piece = &first[..first.len().min(allowed)];
                self.poll_send(cx, |socket| socket.try_write(piece))
            }
            // The usual case of small responses: send(2) is less work for the kernel than writev(2).
            Some(piece) if slices.len() == 1 => {
                self.poll_send(cx, |socket| socket.try_write(piece))
            }
            _ => self.poll_send(cx, |socket| socket.try_write_vectored(slices)),
        };
        let sent = ready!(sent)?;
        self.count(Counter::written_bytes, sent as u64);
        Poll::Ready(Ok(sent))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::MaybeUninit;

    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

    use super::*;
    use crate::net::registry::{self, Region};

    /// More slices than hyper queues.
    const SLICES: usize = 64;

    impl ZeroCopyStream {
        /// Sends the first slice if it is a region; else writes all slices before the first region.
        pub(super) fn poll_write_slices(
            &mut self,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let slices = &slices[..slices.len().min(SLICES)];
            let mut first: Option<(usize, Arc<Region>)> = None;
            for (i, slice) in slices.iter().enumerate() {
                if let Some(region) = registry::find(slice) {
                    // All of them, not only those that fit into the socket now: bodies wait for this news.
                    region.note_offered(slice);
                    first = first.or(Some((i, region)));
                }
            }
            let allowed = ready!(self.poll_turn(cx));
            match first {
                None => self.poll_write_plain(cx, slices, allowed),
                Some((at, region)) if slices[..at].iter().all(|s| s.is_empty()) => {
                    self.poll_send_region(cx, &slices[at], &region, allowed)
                }
                Some((at, _)) => self.poll_write_before(cx, &slices[..at], allowed),
            }
        }

        fn poll_send_region(
            &mut self,
            cx: &mut Context<'_>,
            slice: &[u8],
            region: &Region,
            allowed: usize,
        ) -> Poll<io::Result<usize>> {
            let count = slice.len().min(allowed);
            let Some((file, offset)) = region.source(slice.as_ptr() as usize, count)? else {
                return self.poll_write_plain(cx, &[IoSlice::new(slice)], allowed);
            };
            let sent = ready!(self.poll_send(cx, |socket| {
                let mut offset = offset;
                Ok(rustix::fs::sendfile(
                    socket,
                    file,
                    Some(&mut offset),
                    count,
                )?)
            }))?;
            if sent == 0 {
                // Truncated since it was looked at. What is a copy has the bytes itself.
                return match region.is_window() {
                    true => Poll::Ready(Err(crate::fs::file::truncated())),
                    false => self.poll_write_plain(cx, &[IoSlice::new(slice)], allowed),
                };
            }
            region.note_sent(sent);
            self.count(Counter::sendfile_calls, 1);
            self.count(Counter::sendfile_bytes, sent as u64);
            Poll::Ready(Ok(sent))
        }

        /// Writes `slices` with the promise that more follows, so that header and body share a segment.
        fn poll_write_before(
            &mut self,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
            allowed: usize,
        ) -> Poll<io::Result<usize>> {
            if self.limit.is_some() {
                // What follows may have to wait, and the kernel holds promised segments back for 200 ms.
                return self.poll_write_plain(cx, slices, allowed);
            }
            let flags = SendFlags::MORE | SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            let sent = ready!(self.poll_send(cx, |socket| {
                let mut space: [MaybeUninit<u8>; 0] = [];
                Ok(sendmsg(
                    socket,
                    slices,
                    &mut SendAncillaryBuffer::new(&mut space),
                    flags,
                )?)
            }))?;
            self.count(Counter::written_bytes, sent as u64);
            Poll::Ready(Ok(sent))
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl ZeroCopyStream {
    fn poll_write_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let allowed = ready!(self.poll_turn(cx));
        self.poll_write_plain(cx, slices, allowed)
    }
}

impl AsyncRead for ZeroCopyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for ZeroCopyStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl AsRef<TcpStream> for ZeroCopyStream {
    fn as_ref(&self) -> &TcpStream {
        &self.socket
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for ZeroCopyStream {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for ZeroCopyStream {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for ZeroCopyStream {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}

impl fmt::Debug for ZeroCopyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZeroCopyStream")
            .field("socket", &self.socket)
            .field("limit", &self.limit)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::{
        fs::original::Original,
        net::registry::{Memory, SENDFILE_FROM, publish},
    };

    const LEN: usize = 4 * SENDFILE_FROM;

    async fn pair() -> (ZeroCopyStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (ZeroCopyStream::new(accepted.unwrap().0), client.unwrap())
    }

    /// An unchanged file from whose end on the kernel has nothing to send, as after a truncation that comes between the look
    /// at the file and the sending.
    fn at_its_end() -> Option<(Arc<Original>, u64)> {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        Some((Arc::new(Original::new(file).unwrap()), 10))
    }

    #[tokio::test]
    async fn a_copy_is_sent_whole_where_its_original_ends_early() {
        let (mut server, mut client) = pair().await;
        let content: Vec<u8> = (0..LEN).map(|i| (i % 251) as u8).collect();
        let copy = publish(content.clone(), Memory::Heap, at_its_end(), None);
        let read = tokio::spawn(async move {
            let mut read = Vec::new();
            client.read_to_end(&mut read).await.unwrap();
            read
        });
        server.write_all(&copy).await.unwrap();
        drop(server);
        assert!(read.await.unwrap() == content);
    }

    #[tokio::test]
    async fn a_window_fails_where_its_original_ends_early() {
        let (mut server, _client) = pair().await;
        let mapping = Arc::new(crate::region::Mapping::window(LEN).unwrap());
        let window = publish(mapping, Memory::Window, at_its_end(), None);
        let error = server.write_all(&window).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
