//! What is on its way, and what the client's windows leave room for.

use super::{super::pace::SMALLEST_PIECE, Scheduler};

impl Scheduler {
    /// The peer's windows grow: a stream's, or the connection's (0).
    pub(crate) fn window_grows(&mut self, id: u32, increment: u32) {
        if id == 0 {
            self.window += i64::from(increment);
        } else if let Some(slot) = self.index.get(id) {
            self.streams[slot as usize].window += i64::from(increment);
            self.unblock(slot);
        }
    }

    /// The peer sets what streams begin with, which changes those open, too (RFC 9113 §6.9.2).
    pub(crate) fn set_initial_window(&mut self, size: u32) {
        let change = i64::from(size) - self.initial_window;
        self.initial_window = i64::from(size);
        for slot in 0..self.streams.len() as u32 {
            if self.streams[slot as usize].id != 0 {
                self.streams[slot as usize].window += change;
                self.unblock(slot);
            }
        }
    }

    /// How much may be in flight, and be granted at once while others wait.
    pub(crate) fn set_pace(&mut self, limit: usize, quantum: usize) {
        self.limit = limit;
        self.quantum = quantum;
    }

    /// The socket took bytes of a stream's response.
    pub(crate) fn sent(&mut self, id: u32, bytes: usize) {
        self.window -= bytes as i64;
        if let Some(slot) = self.index.get(id) {
            let stream = &mut self.streams[slot as usize];
            stream.window -= bytes as i64;
            let charged = stream.in_flight.min(bytes);
            stream.in_flight -= charged;
            self.in_flight -= charged;
        }
    }

    /// Whether another piece may be on its way. On a slow connection there is one at a time: the socket holds enough to go on
    /// with until the next.
    pub(super) fn has_room(&self) -> bool {
        let piece = if self.in_flight == 0 {
            1
        } else {
            SMALLEST_PIECE
        };
        self.in_flight + piece <= self.limit
    }

    /// Bytes granted that the socket did not take yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Nothing waits, and nothing is on its way.
    pub(crate) fn is_dry(&self) -> bool {
        self.in_flight == 0 && self.occupied == 0
    }

    /// Whether the client could let something go on that it does not: by a window, or by reading.
    pub(crate) fn depends_on_client(&self) -> bool {
        self.in_flight > 0 || self.blocked > 0 || self.occupied != 0
    }
}
