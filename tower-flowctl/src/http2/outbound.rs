//! What the server sends, frame by frame.
//!
//! It counts which response's bytes the socket took.

use std::ops::Deref;

use super::frame::{Event, HEAD, Head, flag, kind};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    /// The header of the frame under way, and how much of it has passed.
    head: [u8; HEAD],
    have: usize,
    /// What the frame under way is, and how much of its payload has to come.
    frame: Option<Head>,
    left: usize,
    /// Whether a header block goes on in the next frame.
    in_block: bool,
    /// Bytes of DATA that passed and were not told of.
    data: u32,
    /// The first bytes of a GOAWAY.
    prefix: [u8; 4],
}

/// What is at the front of the bytes to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// So many bytes that are no WINDOW_UPDATE.
    Bytes(usize),
    /// A WINDOW_UPDATE of [`WINDOW_UPDATE`] bytes.
    WindowUpdate { stream: u32, increment: u32 },
}

/// Bytes of a WINDOW_UPDATE frame.
pub(crate) const WINDOW_UPDATE: usize = HEAD + 4;

impl Outbound {
    /// Whether the next byte begins a frame before which one of ours may go: nothing may come within a header block (RFC 9113
    /// §6.10).
    pub(crate) fn is_between_frames(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.in_block
    }

    /// Looks for the next WINDOW_UPDATE among the bytes to be sent. h2 writes its frames whole, but for the payloads of
    /// DATA.
    pub(crate) fn next_window_update<Slice: Deref<Target = [u8]>>(&self, slices: &[Slice]) -> Next {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        if self.have > 0 {
            return Next::Bytes(total.min(HEAD - self.have));
        }
        let mut at = self.left;
        while at < total {
            let mut frame = [0; WINDOW_UPDATE];
            let length = copy_at(slices, at, &mut frame);
            let Some(head) = Head::parse(&frame[..length]) else {
                break;
            };
            if head.kind == kind::WINDOW_UPDATE && head.length == 4 {
                if at > 0 {
                    return Next::Bytes(at);
                }
                if length == frame.len() {
                    let [.., a, b, c, d] = frame;
                    return Next::WindowUpdate {
                        stream: head.stream,
                        increment: u32::from_be_bytes([a, b, c, d]),
                    };
                }
            }
            at += HEAD + head.length;
        }
        Next::Bytes(total)
    }

    /// Accounts for the first `sent` bytes of the slices, which the socket took.
    pub(crate) fn passed<Slice: Deref<Target = [u8]>>(
        &mut self,
        slices: &[Slice],
        mut sent: usize,
        tell: &mut impl FnMut(Event<'_>),
    ) {
        for slice in slices {
            let length = slice.len().min(sent);
            self.pass(&slice[..length], tell);
            sent -= length;
        }
        self.tell_data(tell);
    }

    fn pass(&mut self, mut bytes: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let length = self.left.min(bytes.len());
                let (front, rest) = bytes.split_at(length);
                bytes = rest;
                self.go_on(front, tell);
                continue;
            }
            if self.have == 0
                && let Some(head) = Head::parse(bytes)
            {
                bytes = &bytes[HEAD..];
                if matches!(head.kind, kind::DATA | kind::HEADERS)
                    && let Some(rest) = bytes.get(head.length..)
                {
                    bytes = rest;
                    self.in_block = opens_block(head);
                    whole(head, tell);
                    continue;
                }
                self.begin(head, tell);
                continue;
            }
            let wanted = (HEAD - self.have).min(bytes.len());
            let (front, rest) = bytes.split_at(wanted);
            self.head[self.have..self.have + wanted].copy_from_slice(front);
            self.have += wanted;
            bytes = rest;
            if self.have == HEAD
                && let Some(head) = Head::parse(&self.head)
            {
                self.have = 0;
                self.begin(head, tell);
            }
        }
    }

    fn begin(&mut self, head: Head, tell: &mut impl FnMut(Event<'_>)) {
        self.in_block = opens_block(head);
        self.left = head.length;
        self.frame = Some(head);
        if head.kind == kind::RST_STREAM {
            tell(Event::Finished {
                stream: head.stream,
                reset: true,
            });
        }
        if self.left == 0 {
            self.end(head, tell);
        }
    }

    fn go_on(&mut self, bytes: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        let Some(head) = self.frame else {
            return;
        };
        if head.kind == kind::DATA {
            self.data += bytes.len() as u32;
        } else if head.kind == kind::GOAWAY {
            let done = head.length - self.left;
            if let Some(prefix) = self.prefix.get_mut(done..) {
                let length = prefix.len().min(bytes.len());
                prefix[..length].copy_from_slice(&bytes[..length]);
            }
        }
        self.left -= bytes.len();
        if self.left == 0 {
            self.tell_data(tell);
            self.end(head, tell);
        }
    }

    /// Tells of the payload of DATA that passed since it was told the last time: h2 writes the front of a payload together
    /// with its header, apart from the rest.
    fn tell_data(&mut self, tell: &mut impl FnMut(Event<'_>)) {
        let length = std::mem::take(&mut self.data);
        if let (Some(head), 1..) = (self.frame, length) {
            tell(Event::Sent {
                stream: head.stream,
                length,
                whole: self.left == 0,
            });
        }
    }

    fn end(&mut self, head: Head, tell: &mut impl FnMut(Event<'_>)) {
        match head.kind {
            kind::DATA | kind::HEADERS if head.has(flag::END_STREAM) => tell(Event::Finished {
                stream: head.stream,
                reset: false,
            }),
            kind::GOAWAY => tell(Event::GoAway {
                last: u32::from_be_bytes(self.prefix) & 0x7fff_ffff,
            }),
            _ => {}
        }
    }
}

/// Whether a CONTINUATION has to follow.
fn opens_block(head: Head) -> bool {
    matches!(head.kind, kind::HEADERS | kind::CONTINUATION) && !head.has(flag::END_HEADERS)
}

/// A frame of a response that is there from its first byte to its last, as those of small ones are.
fn whole(head: Head, tell: &mut impl FnMut(Event<'_>)) {
    let Head { stream, length, .. } = head;
    if head.kind == kind::DATA && length > 0 {
        tell(Event::Sent {
            stream,
            length: length as u32,
            whole: true,
        });
    }
    if head.has(flag::END_STREAM) {
        let reset = false;
        tell(Event::Finished { stream, reset });
    }
}

/// Copies bytes from a place in the slices; returns how many there were.
pub(crate) fn copy_at<Slice: Deref<Target = [u8]>>(
    slices: &[Slice],
    mut at: usize,
    to: &mut [u8],
) -> usize {
    let mut copied = 0;
    for slice in slices {
        if at >= slice.len() {
            at -= slice.len();
            continue;
        }
        let from = &slice[at..];
        let length = from.len().min(to.len() - copied);
        to[copied..copied + length].copy_from_slice(&from[..length]);
        copied += length;
        at = 0;
        if copied == to.len() {
            break;
        }
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_go_into_a_header_block() {
        const LENGTH: usize = HEAD + 3;
        let frames = [
            (kind::HEADERS, flag::END_STREAM),
            (kind::CONTINUATION, 0),
            (kind::CONTINUATION, flag::END_HEADERS),
            (kind::HEADERS, flag::END_HEADERS),
            (kind::DATA, flag::END_STREAM),
        ];
        let frames = frames.map(|(kind, flags)| {
            let head = Head {
                length: LENGTH - HEAD,
                kind,
                flags,
                stream: 1,
            };
            [&head.bytes()[..], b"abc"].concat()
        });
        for size in [1, LENGTH] {
            let mut outbound = Outbound::default();
            let mut gaps = Vec::new();
            for (at, bytes) in (size..).step_by(size).zip(frames.concat().chunks(size)) {
                outbound.passed(&[bytes], size, &mut |_: Event<'_>| {});
                if outbound.is_between_frames() {
                    gaps.push(at);
                }
            }
            assert_eq!(gaps, [3, 4, 5].map(|frame| frame * LENGTH), "{size}");
        }
    }
}
