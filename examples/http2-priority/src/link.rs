//! A link of limited bandwidth, without privileges: a stream that takes bytes at a rate.

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

/// Bytes a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate(f64);

impl Rate {
    pub(crate) fn megabits(megabits: f64) -> Self {
        Self((megabits * 125_000.0).max(1_000.0))
    }
}

/// What may be sent at once.
const BURST: f64 = 8192.0;

/// A stream whose writes are limited. It belongs below TLS, where the wire is.
pub(crate) struct Link<Io> {
    io: Io,
    rate: Rate,
    allowed: f64,
    since: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl<Io> Link<Io> {
    pub(crate) fn new(io: Io, rate: Rate) -> Self {
        Self {
            io,
            rate,
            allowed: BURST,
            since: Instant::now(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Link<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let now = Instant::now();
            let gained = (now - this.since).as_secs_f64() * this.rate.0;
            this.allowed = BURST.min(this.allowed + gained);
            this.since = now;
            if this.allowed >= 1.0 {
                let length = bytes.len().min(this.allowed as usize);
                let sent = ready!(Pin::new(&mut this.io).poll_write(cx, &bytes[..length]))?;
                this.allowed -= sent as f64;
                return Poll::Ready(Ok(sent));
            }
            this.sleep.as_mut().reset(now + Duration::from_millis(1));
            ready!(this.sleep.as_mut().poll(cx));
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Link<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}
