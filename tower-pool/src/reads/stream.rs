//! The stream.

use std::{
    io::{self, IoSlice},
    num::NonZero,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::raw::bounded::poll_read_at_most;

pin_project! {
    /// A stream whose reads are bounded. See the [module](super::super::reads).
    ///
    /// Writing is passed on unchanged.
    #[derive(Debug)]
    pub struct BoundedReads<S> {
        #[pin]
        inner: S,
        most: NonZero<usize>,
    }
}

impl<S> BoundedReads<S> {
    /// Bounds each read of `inner` to `most` bytes, at least 1.
    pub fn new(inner: S, most: usize) -> Self {
        Self {
            inner,
            most: NonZero::new(most).unwrap_or(NonZero::<usize>::MIN),
        }
    }

    /// The stream inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The stream inside, to change.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Unwraps the stream.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead> AsyncRead for BoundedReads<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        let most = this.most.get();
        if buffer.remaining() <= most {
            return this.inner.poll_read(cx, buffer);
        }
        poll_read_at_most(this.inner, cx, buffer, most)
    }
}

impl<S: AsyncWrite> AsyncWrite for BoundedReads<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_read_is_bounded_and_nothing_is_lost() {
        let (mut far, near) = tokio::io::duplex(1 << 16);
        let mut near = BoundedReads::new(near, 100);
        let sent: Vec<u8> = (0..1000u32).map(|number| number as u8).collect();
        far.write_all(&sent).await.unwrap();
        far.shutdown().await.unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 256];
        loop {
            match near.read(&mut buffer).await.unwrap() {
                0 => break,
                read => {
                    assert!(read <= 100, "{read} bytes in one read");
                    got.extend_from_slice(&buffer[..read]);
                }
            }
        }
        assert_eq!(got, sent);
        near.write_all(b"back").await.unwrap();
        let mut back = [0; 4];
        far.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"back");
    }
}
