//! A deadline for the first bytes of a connection.
//!
//! hyper's own deadline for a request's head starts when the protocol is known, so a client that opens a
//! connection and says nothing, or stops inside the HTTP/2 preface, would hold it for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What a client that speaks HTTP/2 sends first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Accepts connections whose first bytes must arrive in time.
#[derive(Debug)]
pub(crate) struct OpeningDeadline<L> {
    listener: L,
    limit: Duration,
}

impl<L> OpeningDeadline<L> {
    pub(crate) fn new(listener: L, limit: Duration) -> Self {
        OpeningDeadline { listener, limit }
    }
}

impl<L: Listener> Listener for OpeningDeadline<L> {
    type Io = OpeningStream<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, peer) = self.listener.accept().await;
        (
            OpeningStream {
                stream,
                opening: Some(Opening::new(self.limit)),
            },
            peer,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A stream that fails to read when its opening comes too late.
#[derive(Debug)]
pub(crate) struct OpeningStream<S> {
    stream: S,
    /// `None` once the protocol is known.
    opening: Option<Opening>,
}

#[derive(Debug)]
struct Opening {
    deadline: Pin<Box<Sleep>>,
    /// How many bytes of the preface have arrived.
    matched: usize,
}

impl Opening {
    fn new(limit: Duration) -> Self {
        Opening {
            deadline: Box::pin(sleep(limit)),
            matched: 0,
        }
    }

    /// Takes what has arrived; true when it tells the protocol: the whole preface, or anything else.
    fn is_complete(&mut self, bytes: &[u8]) -> bool {
        let wanted = &PREFACE[self.matched..];
        let length = wanted.len().min(bytes.len());
        self.matched += length;
        bytes[..length] != wanted[..length] || self.matched == PREFACE.len()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for OpeningStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => {
                let Some(opening) = &mut this.opening else {
                    return Poll::Pending;
                };
                ready!(opening.deadline.as_mut().poll(context));
                let late = "the first bytes of the connection did not arrive in time";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, late)))
            }
            Poll::Ready(result) => {
                let arrived = &buffer.filled()[before..];
                if this
                    .opening
                    .as_mut()
                    .is_some_and(|opening| opening.is_complete(arrived))
                {
                    this.opening = None;
                }
                Poll::Ready(result)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for OpeningStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_protocol_is_known_at_the_first_other_byte_or_the_whole_preface() {
        let cases: [(&[&[u8]], bool); 6] = [
            (&[b"GET"], true),
            (&[b"P"], false),
            (&[b"P", b"OST"], true),
            (&[b"PRI * HTTP/2.0\r\n"], false),
            (&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n and frames"], true),
            (&[b"PRI * HTTP/1.1\r\n"], true),
        ];
        for (pieces, want) in cases {
            let mut opening = Opening::new(Duration::from_secs(1));
            let known = pieces.iter().any(|piece| opening.is_complete(piece));
            assert_eq!(known, want, "{:?}", pieces.concat());
        }
    }
}
