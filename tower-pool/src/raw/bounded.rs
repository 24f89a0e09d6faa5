//! A read into part of a buffer that may be uninitialised.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// Reads at most `most` bytes of `inner` into `buffer`.
pub(crate) fn poll_read_at_most<R: AsyncRead>(
    inner: Pin<&mut R>,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
    most: usize,
) -> Poll<io::Result<()>> {
    let mut part = buffer.take(most);
    let start = part.filled().as_ptr();
    ready!(inner.poll_read(cx, &mut part))?;
    // A reader might put another buffer in its place.
    assert_eq!(
        start,
        part.filled().as_ptr(),
        "the reader exchanged the buffer"
    );
    let read = part.filled().len();
    // SAFETY: `part` is the unfilled part of `buffer` (checked: the same memory), and its filled bytes are
    // initialised.
    unsafe { buffer.assume_init(read) };
    buffer.advance(read);
    Poll::Ready(Ok(()))
}
