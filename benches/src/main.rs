//! The comparisons with the peers.
fn main() {}
