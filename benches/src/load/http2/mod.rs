//! HTTP/2 as a client writes and reads it (RFC 9113), with prior knowledge.
//!
//! Windows for answers are as large as the protocol allows, so that the other end is never held back by us; what
//! we send respects its windows.

mod frame;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use self::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FRAME_HEAD, GOAWAY, HEADERS, Head, PADDED,
    PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, number,
};
use super::{
    hpack::{self, Encoder},
    plan::Ask,
    wire::{Answer, Events, Wire},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const LARGEST_WINDOW: i64 = (1 << 31) - 1;

/// One connection.
#[derive(Debug)]
pub(super) struct Http2 {
    host: String,
    encoder: Encoder,
    next_stream: u32,
    streams: HashMap<u32, Stream>,
    /// Streams with body left to send.
    sending: VecDeque<u32>,
    /// What may still be sent on the connection, and at first on a stream.
    window: i64,
    first_window: i64,
    largest_frame: usize,
    most_streams: usize,
    /// What the other end has sent of the connection's window since it was last renewed.
    received: i64,
    going_away: bool,
    reading: Reading,
    block: Block,
}

#[derive(Debug)]
struct Stream {
    answer: Answer,
    body: Bytes,
    sent: usize,
    window: i64,
}

/// Where in the input we are.
#[derive(Debug, Default)]
struct Reading {
    head: Vec<u8>,
    payload: Vec<u8>,
    /// Of a DATA frame, which is not kept: the bytes to come.
    skipping: usize,
}

/// A header block under way.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    ends_stream: bool,
}

impl Http2 {
    pub(super) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            encoder: Encoder::new(),
            next_stream: 1,
            streams: HashMap::new(),
            sending: VecDeque::new(),
            window: 65_535,
            first_window: 65_535,
            largest_frame: 16_384,
            most_streams: usize::MAX,
            received: 0,
            going_away: false,
            reading: Reading::default(),
            block: Block::default(),
        }
    }

    /// Sends of the bodies what the windows allow.
    fn pump(&mut self, out: &mut Vec<u8>) {
        let mut blocked = VecDeque::new();
        while let Some(id) = self.sending.pop_front() {
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            while stream.sent < stream.body.len() {
                let allowed = self.window.min(stream.window).max(0) as usize;
                let left = stream.body.len() - stream.sent;
                let step = left.min(allowed).min(self.largest_frame);
                if step == 0 {
                    break;
                }
                let end = if step == left { END_STREAM } else { 0 };
                let piece = &stream.body[stream.sent..stream.sent + step];
                frame(DATA, end, id, piece, out);
                stream.sent += step;
                stream.window -= step as i64;
                self.window -= step as i64;
            }
            if stream.sent < stream.body.len() {
                blocked.push_back(id);
            }
        }
        self.sending = blocked;
    }

    fn settings(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        for entry in payload.chunks_exact(6) {
            let value = number(&entry[2..]);
            match number(&entry[..2]) {
                1 => self.encoder.limit(value as usize),
                3 => self.most_streams = value as usize,
                4 => {
                    let change = i64::from(value) - self.first_window;
                    self.first_window = i64::from(value);
                    self.streams.values_mut().for_each(|s| s.window += change);
                }
                5 => self.largest_frame = value as usize,
                _ => {}
            }
        }
        frame(SETTINGS, ACK, 0, &[], out);
        self.pump(out);
    }

    /// Counts DATA and gives the connection's window back when half of it is used.
    fn data(&mut self, head: Head, out: &mut Vec<u8>) {
        self.received += head.length as i64;
        if self.received > LARGEST_WINDOW / 2 {
            let renewed = (self.received as u32).to_be_bytes();
            frame(WINDOW_UPDATE, 0, 0, &renewed, out);
            self.received = 0;
        }
    }

    fn end(&mut self, stream: u32, events: &mut Events) {
        if let Some(stream) = self.streams.remove(&stream) {
            events.answers.push(stream.answer);
        }
    }

    fn whole_block(&mut self, stream: u32, events: &mut Events) -> Result<(), String> {
        let block = std::mem::take(&mut self.block);
        if let Some(known) = self.streams.get_mut(&stream)
            && known.answer.status < 200
        {
            known.answer.status = hpack::status(&block.bytes)
                .ok_or_else(|| format!("no status in the block {:x?}", block.bytes))?;
        }
        if block.ends_stream {
            self.end(stream, events);
        }
        Ok(())
    }

    /// Takes a frame whose payload has come whole: all but DATA.
    fn frame(
        &mut self,
        head: Head,
        payload: &[u8],
        out: &mut Vec<u8>,
        events: &mut Events,
    ) -> Result<(), String> {
        match head.kind {
            HEADERS => {
                let mut block = payload;
                if head.has(PADDED) {
                    let padding = usize::from(*block.first().ok_or("an empty padded frame")?);
                    let end = block.len().checked_sub(padding);
                    let inner = end.and_then(|end| block.get(1..end));
                    block = inner.ok_or("a frame of more padding than payload")?;
                }
                if head.has(PRIORITY) {
                    block = block.get(5..).ok_or("a HEADERS frame cut short")?;
                }
                self.block.bytes.extend_from_slice(block);
                self.block.ends_stream = head.has(END_STREAM);
                if head.has(END_HEADERS) {
                    self.whole_block(head.stream, events)?;
                }
            }
            CONTINUATION => {
                self.block.bytes.extend_from_slice(payload);
                if head.has(END_HEADERS) {
                    self.whole_block(head.stream, events)?;
                }
            }
            SETTINGS if !head.has(ACK) => self.settings(payload, out),
            PING if !head.has(ACK) => frame(PING, ACK, 0, payload, out),
            WINDOW_UPDATE if payload.len() == 4 => {
                let more = i64::from(number(payload) & 0x7FFF_FFFF);
                if head.stream == 0 {
                    self.window += more;
                } else if let Some(stream) = self.streams.get_mut(&head.stream) {
                    stream.window += more;
                }
                self.pump(out);
            }
            RST_STREAM if payload.len() == 4 => {
                if let Some(stream) = self.streams.remove(&head.stream) {
                    let failure = format!("the stream was reset with code {}", number(payload));
                    events.failures.push((stream.answer.tag, failure));
                }
            }
            GOAWAY if payload.len() >= 8 => {
                self.going_away = true;
                let code = number(&payload[4..8]);
                if code != 0 {
                    return Err(format!("GOAWAY with code {code}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Every client names itself: a request without a single field is one that servers never see.
const AGENT: &str = "benches";

impl Wire for Http2 {
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(PREFACE);
        let mut settings = Vec::new();
        // No dynamic table for answers, no pushes, the largest windows.
        for (id, value) in [(1_u16, 0_u32), (2, 0), (4, LARGEST_WINDOW as u32)] {
            settings.extend_from_slice(&id.to_be_bytes());
            settings.extend_from_slice(&value.to_be_bytes());
        }
        frame(SETTINGS, 0, 0, &settings, out);
        let more = (LARGEST_WINDOW as u32 - 65_535).to_be_bytes();
        frame(WINDOW_UPDATE, 0, 0, &more, out);
    }

    fn send(&mut self, tag: usize, ask: &Ask, out: &mut Vec<u8>) {
        let id = self.next_stream;
        self.next_stream += 2;
        let start = out.len();
        out.extend_from_slice(&[0; FRAME_HEAD]);
        self.encoder.begin(out);
        match ask.method.as_str() {
            "GET" => Encoder::indexed(2, out),
            "POST" => Encoder::indexed(3, out),
            other => self.encoder.field(":method", 2, other, out),
        }
        Encoder::indexed(6, out);
        self.encoder.field(":authority", 1, &self.host, out);
        self.encoder.field(":path", 4, &ask.path, out);
        self.encoder.field("user-agent", 58, AGENT, out);
        for (name, value) in &ask.headers {
            self.encoder.field(name, 0, value, out);
        }
        let bodiless = ask.body.is_empty();
        if !bodiless {
            let length = ask.body.len().to_string();
            self.encoder.field("content-length", 28, &length, out);
        }
        let mut head = Vec::with_capacity(FRAME_HEAD);
        let length = out.len() - start - FRAME_HEAD;
        let flags = END_HEADERS | if bodiless { END_STREAM } else { 0 };
        Head {
            length,
            kind: HEADERS,
            flags,
            stream: id,
        }
        .write(&mut head);
        out[start..start + FRAME_HEAD].copy_from_slice(&head);
        let answer = Answer {
            tag,
            status: 0,
            length: 0,
        };
        self.streams.insert(
            id,
            Stream {
                answer,
                body: ask.body.clone(),
                sent: 0,
                window: self.first_window,
            },
        );
        if !bodiless {
            self.sending.push_back(id);
            self.pump(out);
        }
    }

    fn receive(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        events: &mut Events,
    ) -> Result<(), String> {
        let mut take = |wanted: usize, into: Option<&mut Vec<u8>>| {
            let step = wanted.min(input.len());
            let (piece, rest) = input.split_at(step);
            if let Some(into) = into {
                into.extend_from_slice(piece);
            }
            input = rest;
            step
        };
        loop {
            let known = self.reading.head.len();
            if known < FRAME_HEAD {
                take(FRAME_HEAD - known, Some(&mut self.reading.head));
                if self.reading.head.len() < FRAME_HEAD {
                    return Ok(());
                }
                let head = Head::read(&self.reading.head);
                if head.kind == DATA {
                    self.data(head, out);
                    self.reading.skipping = head.length;
                }
            }
            let head = Head::read(&self.reading.head);
            if head.kind == DATA {
                let step = take(self.reading.skipping, None);
                self.reading.skipping -= step;
                if let Some(stream) = self.streams.get_mut(&head.stream) {
                    stream.answer.length += step as u64;
                }
                if self.reading.skipping > 0 {
                    return Ok(());
                }
                if head.has(END_STREAM) {
                    self.end(head.stream, events);
                }
            } else {
                let known = self.reading.payload.len();
                take(head.length - known, Some(&mut self.reading.payload));
                if self.reading.payload.len() < head.length {
                    return Ok(());
                }
                let mut payload = std::mem::take(&mut self.reading.payload);
                self.frame(head, &payload, out, events)?;
                payload.clear();
                self.reading.payload = payload;
            }
            self.reading.head.clear();
        }
    }

    fn closed(&mut self, _: &mut Events) -> Result<(), String> {
        if self.streams.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "closed with {} answers to come",
                self.streams.len()
            ))
        }
    }

    fn takes_more(&self, in_flight: usize) -> bool {
        // Stream identifiers have 31 bits.
        !self.going_away && in_flight < self.most_streams && self.next_stream < u32::MAX / 2
    }
}
