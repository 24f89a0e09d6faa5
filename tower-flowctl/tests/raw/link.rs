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

impl Link {
    pub(super) fn new(io: DuplexStream, rate: Option<u64>) -> Self {
        let shape = rate.map(|rate| Shape {
            rate: rate as f64,
            tokens: BURST,
            at: Instant::now(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        });
        Self { io, shape }
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
        let Self { io, shape } = self.get_mut();
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
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
