//! A transport in memory, with or without a bandwidth.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::{Instant, Sleep},
};

/// The server's end, which carries so many bytes a second in the direction of the client.
#[derive(Debug)]
pub(crate) struct Link {
    io: DuplexStream,
    shape: Option<Shape>,
    /// What a layer of TLS has sealed and could not pass on yet, where there is one.
    sealed: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Shape {
    rate: f64,
    tokens: f64,
    at: Instant,
    sleep: Pin<Box<Sleep>>,
}

/// What a shaped link takes at once.
const BURST: f64 = 4096.0;

/// What TLS seals before it has to wait, as rustls has it.
const MOST_SEALED: usize = 64 << 10;

/// How bytes get from the server to the client.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Free,
    /// So many bytes a second.
    Shaped(u64),
    /// The same behind a layer that takes writes whole and is only done with them when it is flushed, as TLS does.
    Sealed(u64),
}

impl Link {
    pub(super) fn new(io: DuplexStream, way: Way) -> Self {
        let (rate, sealed) = match way {
            Way::Free => (None, None),
            Way::Shaped(rate) => (Some(rate), None),
            Way::Sealed(rate) => (Some(rate), Some(Vec::new())),
        };
        let shape = rate.map(|rate| Shape {
            rate: rate as f64,
            tokens: BURST,
            at: Instant::now(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        });
        Self { io, shape, sealed }
    }

    /// Sends as much as the rate allows.
    fn poll_carry(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { io, shape, .. } = self;
        let Some(shape) = shape else {
            return Pin::new(io).poll_write(cx, bytes);
        };
        loop {
            let now = Instant::now();
            let earned = (now - shape.at).as_secs_f64() * shape.rate;
            shape.tokens = BURST.min(shape.tokens + earned);
            shape.at = now;
            if shape.tokens >= 1.0 {
                let length = bytes.len().min(shape.tokens as usize);
                let sent = ready!(Pin::new(&mut *io).poll_write(cx, &bytes[..length]))?;
                shape.tokens -= sent as f64;
                return Poll::Ready(Ok(sent));
            }
            shape.sleep.as_mut().reset(now + Duration::from_millis(1));
            ready!(shape.sleep.as_mut().poll(cx));
        }
    }

    /// Sends what is sealed.
    fn poll_sealed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut sealed) = self.sealed.take() else {
            return Poll::Ready(Ok(()));
        };
        let mut result = Poll::Ready(Ok(()));
        while !sealed.is_empty() && matches!(result, Poll::Ready(Ok(()))) {
            result = self
                .poll_carry(cx, &sealed)
                .map_ok(|sent| drop(sealed.drain(..sent)));
        }
        self.sealed = Some(sealed);
        result
    }
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(sealed) = &mut this.sealed else {
            return this.poll_carry(cx, bytes);
        };
        let taken = bytes.len().min(MOST_SEALED - sealed.len());
        sealed.extend_from_slice(&bytes[..taken]);
        let passed = this.poll_sealed(cx)?;
        if taken == 0 {
            ready!(passed);
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.shape.is_none() {
            return Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.shape.is_none()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sealed(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sealed(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}
