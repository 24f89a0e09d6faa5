//! Bytes of the client, on their way to hyper.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{PriorityStream, empty};
use crate::http2::{frame::Event, inbound::Step};

impl<Io> PriorityStream<Io> {
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
        let uploads = connection.change(|state| {
            while at < bytes.len() {
                let mut tell = |event: Event<'_>| state.on(connection.config(), event);
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
                        let slot = state.scheduler.opened(named.stream());
                        named.write(connection.prefix(), slot, frame, ready);
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
            state.uploads
        });
        if uploads {
            self.send_at_once();
        }
        kept
    }

    /// Hands out what is ready.
    pub(super) fn give(&mut self, buf: &mut ReadBuf<'_>) {
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
    pub(super) fn take_in(&mut self, buf: &mut ReadBuf<'_>, start: usize) {
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

impl<Io: AsyncRead + AsyncWrite + Unpin> PriorityStream<Io> {
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
