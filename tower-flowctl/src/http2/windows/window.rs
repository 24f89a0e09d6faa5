//! A receive window, and the frames that speak of it.

use crate::http2::frame::{HEAD, Head, kind};

/// What a window begins with (RFC 9113 §6.9.2).
pub(crate) const BASE: i64 = 65_535;

/// A window, as its three parties know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Bytes that hyper would take.
    pub(crate) accepts: i64,
    /// Bytes that the client may send.
    pub(crate) open: i64,
    /// Bytes that came and were not read.
    pub(crate) held: i64,
}

impl Window {
    pub(crate) fn new(accepts: i64) -> Self {
        Self {
            accepts,
            open: BASE,
            held: 0,
        }
    }

    pub(crate) fn received(&mut self, length: i64, padding: i64) {
        self.accepts -= length;
        self.open -= length;
        self.held += length - padding;
    }

    /// What may be promised on top, so that no more than `target` is promised and held.
    pub(crate) fn room(&self, target: i64) -> i64 {
        (target - self.held).min(self.accepts) - self.open
    }
}

/// Writes a WINDOW_UPDATE frame.
pub(crate) fn window_update(stream: u32, increment: i64, out: &mut Vec<u8>) {
    // No window is larger than 2^31 - 1, so no increment is.
    let increment = increment.min(i64::from(i32::MAX)) as u32;
    frame(kind::WINDOW_UPDATE, stream, &increment.to_be_bytes(), out);
}

/// Writes a frame.
pub(crate) fn frame(kind: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let head = Head {
        length: payload.len(),
        kind,
        flags: 0,
        stream,
    };
    debug_assert_eq!(head.bytes().len(), HEAD);
    out.extend_from_slice(&head.bytes());
    out.extend_from_slice(payload);
}
