//! A client of HTTP/2 that sends exactly the bytes it is told to, and reports what comes back frame by frame. It knows
//! nothing of what is allowed.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test program uses a part of it"
)]

mod block;
mod connection;
mod frame;
mod link;
mod memory;
mod peer;
mod servers;

pub(crate) use self::{
    block::Block,
    connection::{Connection, PREFACE, Quiet},
    frame::{Frame, code, flag, kind, setting},
    link::Link,
    memory::{Dialer, Memory},
    peer::{Peer, Record, app, frame, get_block},
    servers::Server,
};
