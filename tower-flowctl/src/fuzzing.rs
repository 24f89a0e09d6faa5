//! What must hold for every input, shared by the fuzz targets and a deterministic test. No API.

use crate::http2::fuzzing as http2;

/// A frame tap gives the same bytes and events however its input is cut, and adds nothing but its field; a connection
/// with a budget takes all events and gives back what it was promised.
pub fn frames(data: &[u8]) {
    http2::frames(data);
}

/// A field that is read is read the same when written again.
pub fn priority(data: &[u8]) {
    http2::priority(data);
}

/// A scheduler with its tree grants what was asked for and no more, and forgets nobody.
pub fn tree(data: &[u8]) {
    http2::tree(data);
}
