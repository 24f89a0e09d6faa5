//! A client that is told what to do call by call, and keeps a record of what came when.

use std::collections::BTreeMap;

use axum::{Router, extract::Path, routing::get};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    time::Instant,
};

use super::{Block, Frame, PREFACE, flag, kind, setting};

/// `/bytes/N` is N bytes, in one piece.
pub(crate) fn app() -> Router {
    Router::new().route(
        "/bytes/{length}",
        get(|Path(length): Path<usize>| async move { Bytes::from(vec![b'x'; length]) }),
    )
}

/// A frame's bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::new(kind, stream, payload)
        .flag(flags)
        .encode(&mut bytes);
    bytes
}

/// The header block of a GET.
pub(crate) fn get_block(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let block = fields
        .iter()
        .fold(Block::get(path), |block, (name, value)| {
            block.field(name, value)
        });
    block.0
}

/// The client's end, frame by frame.
#[derive(Debug)]
pub(crate) struct Peer<Io = DuplexStream> {
    pub(crate) io: Io,
    read: BytesMut,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Peer<Io> {
    /// Sends the preface and windows as large as they can be.
    pub(crate) async fn new(io: Io) -> Self {
        const MOST: u32 = i32::MAX as u32;
        let read = BytesMut::new();
        let mut peer = Self { io, read };
        let mut bytes = PREFACE.to_vec();
        Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, MOST)]).encode(&mut bytes);
        Frame::window_update(0, MOST - 65_535).encode(&mut bytes);
        peer.send(&bytes).await;
        peer
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn get(&mut self, stream: u32, path: &str, fields: &[(&str, &str)]) {
        let flags = flag::END_STREAM | flag::END_HEADERS;
        let block = get_block(path, fields);
        self.send(&frame(kind::HEADERS, flags, stream, &block))
            .await;
    }

    pub(crate) async fn update(&mut self, stream: u32, field: &str) {
        let payload = [&stream.to_be_bytes()[..], field.as_bytes()].concat();
        self.send(&frame(kind::PRIORITY_UPDATE, 0, 0, &payload))
            .await;
    }

    /// The next frame; `None` at the end of the connection. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.read) {
                return Some(frame);
            }
            if !matches!(self.io.read_buf(&mut self.read).await, Ok(1..)) {
                return None;
            }
        }
    }

    /// The next frame of a kind, passing over others.
    pub(crate) async fn expect(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("the connection is open");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads until these streams have ended; returns what came, with its times.
    pub(crate) async fn finish(&mut self, streams: &[u32]) -> Record {
        let mut record = Record::default();
        while !streams
            .iter()
            .all(|stream| record.ends.contains_key(stream))
        {
            let frame = self.next().await.expect("the connection is open");
            record.add(frame);
        }
        record
    }
}

/// What came over the wire, in its order.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Stream and bytes of each DATA frame.
    pub(crate) data: Vec<(u32, usize)>,
    /// When each stream ended.
    pub(crate) ends: BTreeMap<u32, Instant>,
    /// The streams in the order of their ends.
    pub(crate) order: Vec<u32>,
}

impl Record {
    pub(crate) fn add(&mut self, frame: Frame) {
        if frame.kind == kind::DATA && !frame.payload.is_empty() {
            self.data.push((frame.stream, frame.payload.len()));
        }
        if frame.ends_stream() || frame.kind == kind::RST_STREAM {
            self.ends.insert(frame.stream, Instant::now());
            self.order.push(frame.stream);
        }
    }

    /// Bytes of a stream among the first so many of all.
    pub(crate) fn share(&self, stream: u32, first: usize) -> usize {
        let mut all = 0;
        let mut share = 0;
        for &(of, length) in &self.data {
            if all >= first {
                break;
            }
            all += length;
            if of == stream {
                share += length;
            }
        }
        share
    }
}
