//! The client's end of a connection.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};

use super::{Frame, kind};

/// What a client sends first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// With tokio's clock paused it passes at once when all tasks wait for something else.
const LONG: Duration = Duration::from_secs(10);

/// Nothing more came, though the connection is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quiet;

/// A connection. What arrives is read while something is sent, too, so that neither side waits for the other.
#[derive(Debug)]
pub(crate) struct Connection<Io> {
    read: ReadHalf<Io>,
    write: WriteHalf<Io>,
    arrived: BytesMut,
    ended: bool,
}

impl<Io: AsyncRead + AsyncWrite> Connection<Io> {
    /// A connection on which nothing was said yet.
    pub(crate) fn new(io: Io) -> Self {
        let (read, write) = split(io);
        Self {
            read,
            write,
            arrived: BytesMut::new(),
            ended: false,
        }
    }

    /// Sends the preface with these settings, and acknowledges those of the server without waiting for them.
    pub(crate) async fn open(io: Io, settings: &[(u16, u32)]) -> Self {
        let mut connection = Self::new(io);
        connection.send_bytes(PREFACE).await.unwrap();
        connection
            .send([Frame::settings(settings), Frame::settings_ack()])
            .await
            .unwrap();
        connection
    }

    pub(crate) async fn send(&mut self, frames: impl IntoIterator<Item = Frame>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for frame in frames {
            frame.encode(&mut bytes);
        }
        self.send_bytes(&bytes).await
    }

    /// Fails when the server has closed the connection.
    pub(crate) async fn send_bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            tokio::select! {
                biased;
                written = self.write.write(bytes) => bytes = &bytes[written?..],
                read = self.read.read_buf(&mut self.arrived), if !self.ended => {
                    self.ended = !matches!(read, Ok(1..));
                }
            }
        }
        self.write.flush().await
    }

    /// Sends without reading. Says whether the server took it all before all went quiet.
    pub(crate) async fn send_only(&mut self, frames: impl IntoIterator<Item = Frame>) -> bool {
        let mut bytes = Vec::new();
        for frame in frames {
            frame.encode(&mut bytes);
        }
        tokio::time::timeout(LONG, self.write.write_all(&bytes))
            .await
            .is_ok_and(|written| written.is_ok())
    }

    /// The next frame; `None` if the server has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.arrived) {
                return Some(frame);
            }
            if self.ended {
                return None;
            }
            self.ended = !matches!(self.read.read_buf(&mut self.arrived).await, Ok(1..));
        }
    }

    /// The next frame, if there is one before all goes quiet.
    pub(crate) async fn next_if_any(&mut self) -> Result<Option<Frame>, Quiet> {
        tokio::time::timeout(LONG, self.next())
            .await
            .map_err(|_| Quiet)
    }

    /// Reads up to the first frame that is wanted, and returns it with those before it. Panics if it does not come.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            match self.next_if_any().await {
                Ok(Some(frame)) => {
                    frames.push(frame);
                    if wanted(frames.last().unwrap()) {
                        return frames;
                    }
                }
                end => panic!("the frame wanted did not come: {end:?} after {frames:?}"),
            }
        }
    }

    /// Reads up to the end of a response, and returns its status and length. Panics if it does not end.
    pub(crate) async fn response(&mut self, stream: u32) -> (u16, usize) {
        let frames = self
            .until(|frame| frame.stream == stream && frame.ends_stream())
            .await;
        let ours = || frames.iter().filter(|frame| frame.stream == stream);
        let status = ours().find_map(Frame::status);
        let length = ours()
            .filter(|frame| frame.kind == kind::DATA)
            .map(|frame| frame.payload.len())
            .sum();
        (status.expect("a response has a status"), length)
    }
}
