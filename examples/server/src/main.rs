//! The umbrella server.
fn main() {}
