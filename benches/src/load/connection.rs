//! A connection, what is under way on it, and its bytes in and out.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    task::{Poll, ready},
    time::Instant,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use super::{
    http1::Http1,
    http2::Http2,
    plan::{Ask, Plan, Protocol},
    wire::Wire,
};

/// A request that is under way, or waits to be sent again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) ask: usize,
    pub(super) due: Instant,
    pub(super) sent: Instant,
}

/// A socket, and the protocol spoken on it.
pub(super) struct Connection {
    pub(super) number: usize,
    stream: TcpStream,
    pub(super) wire: Box<dyn Wire + Send>,
    pub(super) out: Vec<u8>,
    /// Bytes of `out` that were written.
    written: usize,
    /// By tag; a free slot is none.
    pending: Vec<Option<Pending>>,
    pub(super) in_flight: usize,
}

impl Connection {
    pub(super) async fn open(plan: &Plan, number: usize) -> Result<Self, String> {
        let connecting = TcpStream::connect(plan.address);
        let stream = timeout(plan.deadline, connecting)
            .await
            .map_err(|_| format!("connecting to {}: no answer", plan.address))?
            .map_err(|e| format!("connecting to {}: {e}", plan.address))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let mut wire: Box<dyn Wire + Send> = match plan.protocol {
            Protocol::Http1 => Box::new(Http1::new(&plan.host)),
            Protocol::Http2 => Box::new(Http2::new(&plan.host)),
        };
        let mut out = Vec::new();
        wire.open(&mut out);
        Ok(Self {
            number,
            stream,
            wire,
            out,
            written: 0,
            pending: vec![None; plan.in_flight],
            in_flight: 0,
        })
    }

    pub(super) fn send(&mut self, mut pending: Pending, asks: &[Ask]) {
        let free = self.pending.iter().position(Option::is_none);
        let tag = free.expect("the caller leaves a slot free");
        pending.sent = Instant::now();
        self.wire.send(tag, &asks[pending.ask], &mut self.out);
        self.pending[tag] = Some(pending);
        self.in_flight += 1;
    }

    pub(super) fn settle(&mut self, tag: usize) -> Option<Pending> {
        let pending = self.pending[tag].take()?;
        self.in_flight -= 1;
        Some(pending)
    }

    /// Takes all that are under way off the connection.
    pub(super) fn abandon(&mut self) -> Vec<Pending> {
        self.in_flight = 0;
        self.pending.iter_mut().filter_map(Option::take).collect()
    }

    /// Writes what there is while there is room, and returns when something has come.
    pub(super) async fn exchange(&mut self, buffer: &RefCell<Vec<u8>>) -> Result<Woken, String> {
        let Self {
            stream,
            out,
            written,
            ..
        } = self;
        poll_fn(|context| {
            while *written < out.len() {
                match Pin::new(&mut *stream).poll_write(context, &out[*written..]) {
                    Poll::Ready(Ok(more)) => *written += more,
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Err(format!("writing: {error}")));
                    }
                    Poll::Pending => break,
                }
            }
            if *written == out.len() {
                out.clear();
                *written = 0;
            }
            // Not `try_read`, which asks once more in vain after every piece.
            let mut buffer = buffer.borrow_mut();
            let mut buffer = ReadBuf::new(&mut buffer);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            Poll::Ready(match (read, buffer.filled().len()) {
                (Err(error), _) => Err(format!("reading: {error}")),
                (Ok(()), 0) => Ok(Woken::Closed),
                (Ok(()), length) => Ok(Woken::Read(length)),
            })
        })
        .await
    }
}

/// What ended a wait.
pub(super) enum Woken {
    Read(usize),
    Closed,
    Other,
}
