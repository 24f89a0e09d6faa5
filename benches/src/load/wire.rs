//! What the two protocols have in common, without input or output: bytes in, bytes and answers out.

use super::plan::Ask;

/// An answer that has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// What [`Wire::send`] was given.
    pub(super) tag: usize,
    pub(super) status: u16,
    /// Bytes of the body.
    pub(super) length: u64,
}

/// What has come of the bytes that arrived.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) answers: Vec<Answer>,
    /// Requests that failed although the connection goes on.
    pub(super) failures: Vec<(usize, String)>,
}

/// One end of a connection.
pub(super) trait Wire {
    /// Writes what opens the connection.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Writes a request.
    fn send(&mut self, tag: usize, ask: &Ask, out: &mut Vec<u8>);

    /// Takes bytes that arrived; may write what the protocol demands in return.
    fn receive(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        events: &mut Events,
    ) -> Result<(), String>;

    /// The other end has closed. An error when an answer is cut off by it.
    fn closed(&mut self, events: &mut Events) -> Result<(), String>;

    /// Whether the other end takes more requests, with so many under way.
    fn takes_more(&self, in_flight: usize) -> bool;
}
