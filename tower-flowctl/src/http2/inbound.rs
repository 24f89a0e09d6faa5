//! What the client sends, frame by frame.
//!
//! All bytes go on to hyper as they are, but for one thing: to the headers of each request one field is appended that
//! says which stream it is, since hyper tells nobody. It goes into the frame that ends the block, if
//! - the stream is a new one: trailers and faulty repetitions are left alone;
//! - the block is whole there ([`Walk`]): otherwise the field would become part of a literal that was cut short;
//! - the frame stays within 16,384 bytes, which everybody has to take.
//!
//! So a request has the field of its own stream or none, whatever else is wrong with it. A frame of headers is held
//! until it is complete; the frame decoder behind would do the same.

use super::{
    Reason,
    frame::{Dependency, Event, HEAD, Head, PREFACE, SMALLEST_MAX_PAYLOAD, flag, kind},
    hpack::{self, Walk},
    identity::{FIELD_VALUE, Prefix},
    windows::PROBE,
};

/// What is to be done with the front of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes go on as they are; never 0.
    Pass(usize),
    /// The frame at the front goes on with its stream's number appended.
    Name(Named),
    /// So many bytes are not for hyper.
    Drop(usize),
    /// More bytes are needed to tell.
    More,
}

/// A frame that gets its stream's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    head: Head,
    /// Where the block's fragment ends, from the frame's begin.
    at: usize,
}

impl Named {
    /// Bytes of the frame as it came.
    pub(crate) fn length(self) -> usize {
        HEAD + self.head.length
    }

    /// The stream whose number it is.
    pub(crate) fn stream(self) -> u32 {
        self.head.stream
    }

    /// Writes the frame as it goes on. `slot` is the stream's in the scheduler.
    pub(crate) fn write(
        self,
        connection: &Prefix,
        slot: Option<u32>,
        frame: &[u8],
        out: &mut Vec<u8>,
    ) {
        let Self { head, at } = self;
        let grown = Head {
            length: head.length + GROWTH,
            ..head
        };
        out.reserve(HEAD + grown.length);
        out.extend_from_slice(&grown.bytes());
        out.extend_from_slice(&frame[HEAD..at]);
        hpack::append_field(out, &connection.value(head.stream, slot));
        if at < frame.len() {
            // The padding.
            out.extend_from_slice(&frame[at..]);
        }
    }
}

/// Bytes by which a frame grows.
const GROWTH: usize = 3 + FIELD_VALUE;

/// Bytes by which a header list grows, as RFC 9113 §6.5.2 counts them. Clients are told a limit that leaves room for them.
pub(crate) const LIST_GROWTH: u32 = (32 + "strict-transport-security".len() + FIELD_VALUE) as u32;

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// So many bytes of the preface have come.
    Preface(usize),
    Frames,
    /// Not HTTP/2.
    Opaque,
}

/// A header block that goes on in CONTINUATION frames.
#[derive(Clone, Copy, Debug)]
struct Block {
    stream: u32,
    walk: Walk,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Inbound {
    phase: Phase,
    /// What is left of a payload that passes.
    left: usize,
    newest: u32,
    block: Option<Block>,
    /// Whether answers to our own PING are kept from hyper.
    probes: bool,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            phase: Phase::Preface(0),
            left: 0,
            newest: 0,
            block: None,
            probes: false,
        }
    }
}

impl Inbound {
    /// Whether the connection turned out to be something else than HTTP/2.
    pub(crate) fn is_opaque(&self) -> bool {
        matches!(self.phase, Phase::Opaque)
    }

    /// There are PINGs of our own.
    pub(crate) fn expect_probes(&mut self) {
        self.probes = true;
    }

    /// The highest stream of those that went on to hyper; what became of it is not known here.
    pub(crate) fn newest(&self) -> u32 {
        self.newest
    }

    /// Looks at the front of what has come, which is not empty.
    pub(crate) fn step(&mut self, bytes: &[u8], tell: &mut impl FnMut(Event<'_>)) -> Step {
        match self.phase {
            Phase::Opaque => return Step::Pass(bytes.len()),
            Phase::Preface(seen) => {
                let rest = &PREFACE[seen..];
                let length = rest.len().min(bytes.len());
                if bytes[..length] != rest[..length] {
                    self.phase = Phase::Opaque;
                } else if length == rest.len() {
                    self.phase = Phase::Frames;
                } else {
                    self.phase = Phase::Preface(seen + length);
                }
                return Step::Pass(length);
            }
            Phase::Frames => {}
        }
        if self.left > 0 {
            let length = self.left.min(bytes.len());
            self.left -= length;
            return Step::Pass(length);
        }
        let Some(head) = Head::parse(bytes) else {
            return Step::More;
        };
        if !is_read(head) {
            if head.kind == kind::DATA {
                let mut padding = 0;
                if head.has(flag::PADDED) && head.length > 0 {
                    let Some(&length) = bytes.get(HEAD) else {
                        return Step::More;
                    };
                    padding = 1 + u32::from(length);
                }
                tell(Event::Received {
                    stream: head.stream,
                    length: head.length as u32,
                    padding: padding.min(head.length as u32),
                    end: head.has(flag::END_STREAM),
                });
            } else if head.kind == kind::HEADERS && head.stream > self.newest {
                // It stays without a number, and what follows on its stream are trailers. hyper takes it, if a larger
                // `max_frame_size` was set.
                self.newest = head.stream;
                if head.stream % 2 == 1 {
                    tell(Event::Opened {
                        stream: head.stream,
                        dependency: None,
                        end: head.has(flag::END_STREAM),
                    });
                    tell(Event::Named {
                        stream: head.stream,
                        named: false,
                    });
                }
            }
            self.left = head.length;
            return Step::Pass(HEAD);
        }
        let Some(payload) = bytes[HEAD..].get(..head.length) else {
            return Step::More;
        };
        let named = match head.kind {
            kind::HEADERS => self.headers(head, payload, tell),
            kind::CONTINUATION => self.continuation(head, payload, tell),
            kind::PING if self.probes && head.has(flag::ACK) && payload == PROBE => {
                tell(Event::Ping {
                    answer: Some(PROBE),
                });
                return Step::Drop(HEAD + head.length);
            }
            _ => {
                read(head, payload, tell);
                None
            }
        };
        match named {
            Some(named) => Step::Name(named),
            None => Step::Pass(HEAD + head.length),
        }
    }

    fn headers(
        &mut self,
        head: Head,
        payload: &[u8],
        tell: &mut impl FnMut(Event<'_>),
    ) -> Option<Named> {
        let is_new = head.stream % 2 == 1 && head.stream > self.newest && self.block.is_none();
        if !is_new {
            return None;
        }
        self.newest = head.stream;
        let (dependency, start, end) = fragment(head, payload)?;
        tell(Event::Opened {
            stream: head.stream,
            dependency,
            end: head.has(flag::END_STREAM),
        });
        let mut walk = Walk::default();
        walk.feed(&payload[start..end]);
        let block = Block {
            stream: head.stream,
            walk,
        };
        if head.has(flag::END_HEADERS) {
            name(head, block, HEAD + end, tell)
        } else {
            self.block = Some(block);
            None
        }
    }

    fn continuation(
        &mut self,
        head: Head,
        payload: &[u8],
        tell: &mut impl FnMut(Event<'_>),
    ) -> Option<Named> {
        let block = self.block.as_mut()?;
        if block.stream != head.stream {
            return None;
        }
        block.walk.feed(payload);
        if head.has(flag::END_HEADERS) {
            let block = *block;
            self.block = None;
            name(head, block, HEAD + payload.len(), tell)
        } else {
            None
        }
    }
}

/// Whether a frame's payload is looked into. Those that are longer than any of them may be are errors, and h2's to find.
fn is_read(head: Head) -> bool {
    head.length <= SMALLEST_MAX_PAYLOAD
        && matches!(
            head.kind,
            kind::HEADERS
                | kind::PRIORITY
                | kind::RST_STREAM
                | kind::SETTINGS
                | kind::PING
                | kind::WINDOW_UPDATE
                | kind::CONTINUATION
                | kind::PRIORITY_UPDATE
        )
}

/// Where in a HEADERS payload the fragment is (RFC 9113 §6.2); `None` if the padding is longer than the frame.
fn fragment(head: Head, payload: &[u8]) -> Option<(Option<Dependency>, usize, usize)> {
    let mut start = 0;
    let mut padding = 0;
    if head.has(flag::PADDED) {
        padding = usize::from(*payload.first()?);
        start = 1;
    }
    let mut dependency = None;
    if head.has(flag::PRIORITY) {
        dependency = Some(Dependency::parse(payload.get(start..)?)?);
        start += 5;
    }
    let end = payload.len().checked_sub(padding)?;
    (start <= end).then_some((dependency, start, end))
}

fn name(head: Head, block: Block, at: usize, tell: &mut impl FnMut(Event<'_>)) -> Option<Named> {
    let fits = head.length + GROWTH <= SMALLEST_MAX_PAYLOAD;
    let named = (block.walk.is_between_fields() && fits).then_some(Named { head, at });
    tell(Event::Named {
        stream: block.stream,
        named: named.is_some(),
    });
    named
}

/// Tells of a small frame. Those of a wrong length or on a wrong stream are connection errors, and h2's to raise.
fn read(head: Head, payload: &[u8], tell: &mut impl FnMut(Event<'_>)) {
    let stream = head.stream;
    let word = |bytes: &[u8; 4]| u32::from_be_bytes(*bytes);
    match head.kind {
        kind::PRIORITY if stream != 0 && payload.len() == 5 => {
            if let Some(dependency) = Dependency::parse(payload) {
                tell(Event::Depends { stream, dependency });
            }
        }
        kind::RST_STREAM if stream != 0 && payload.len() == 4 => {
            tell(Event::ClientReset { stream });
        }
        kind::SETTINGS if stream == 0 && head.has(flag::ACK) => tell(Event::Acknowledged),
        kind::SETTINGS if stream == 0 && payload.len().is_multiple_of(6) => {
            tell(Event::Settings);
            for entry in payload.chunks_exact(6) {
                tell(Event::Setting {
                    id: u16::from_be_bytes([entry[0], entry[1]]),
                    value: u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]),
                });
            }
        }
        kind::PING if stream == 0 => {
            if let Ok(opaque) = <[u8; 8]>::try_from(payload) {
                let answer = head.has(flag::ACK).then_some(opaque);
                tell(Event::Ping { answer });
            }
        }
        kind::WINDOW_UPDATE if payload.len() == 4 => {
            if let Some(bytes) = payload.first_chunk::<4>() {
                let increment = word(bytes) & 0x7fff_ffff;
                tell(Event::Window { stream, increment });
            }
        }
        kind::PRIORITY_UPDATE => tell(match payload.split_first_chunk::<4>() {
            None => Event::Invalid(Reason::ShortUpdate),
            Some((id, field)) => match word(id) & 0x7fff_ffff {
                // Even streams are pushed ones, and hyper promises none.
                updated if stream == 0 && updated % 2 == 1 => Event::Updated {
                    stream: updated,
                    field,
                },
                _ => Event::Invalid(Reason::InvalidUpdate),
            },
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `max_frame_size` is larger than 16 KiB. Its windows and its priority are a stream's like any other.
    #[test]
    fn a_stream_whose_headers_are_a_long_frame_is_told_of() {
        let mut inbound = Inbound::default();
        let mut bytes = PREFACE.to_vec();
        let head = Head {
            length: SMALLEST_MAX_PAYLOAD + 1,
            kind: kind::HEADERS,
            flags: flag::END_HEADERS,
            stream: 5,
        };
        bytes.extend_from_slice(&head.bytes());
        bytes.resize(bytes.len() + head.length, 0);
        let mut told = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let step = inbound.step(&bytes[at..], &mut |event| {
                told.push(match event {
                    Event::Opened { stream, end, .. } => (stream, end),
                    Event::Named { stream, named } => (stream, named),
                    _ => (0, true),
                });
            });
            let Step::Pass(length) = step else {
                panic!("{step:?}");
            };
            at += length;
        }
        assert_eq!(told, [(5, false), (5, false)]);
    }
}
