//! A stream that notes which response's bytes are written, in which order.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::site::Log;

/// A DATA frame that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) at: Duration,
    /// The last byte of its payload.
    pub(super) mark: u8,
    pub(super) bytes: usize,
}

/// Between the HTTP/2 server and TLS.
pub(super) struct Record<Io> {
    io: Io,
    log: Log,
    head: [u8; 9],
    have: usize,
    left: usize,
}

impl<Io> Record<Io> {
    pub(super) fn new(io: Io, log: Log) -> Self {
        Self {
            io,
            log,
            head: [0; 9],
            have: 0,
            left: 0,
        }
    }

    pub(super) fn get_ref(&self) -> &Io {
        &self.io
    }

    fn wrote(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let taken = (9 - self.have).min(bytes.len());
                self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
                self.have += taken;
                bytes = &bytes[taken..];
                if self.have < 9 {
                    return;
                }
                self.have = 0;
                self.left = self.length();
            } else {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                if self.left == 0 && self.head[3] == 0 {
                    self.log.wrote(bytes[taken - 1], self.length());
                }
                bytes = &bytes[taken..];
            }
        }
    }

    fn length(&self) -> usize {
        u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]) as usize
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Record<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Record<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = written {
            self.wrote(&bytes[..length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
