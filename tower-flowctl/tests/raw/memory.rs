//! A network in memory: nothing but the tasks of the test takes time, and with tokio's clock paused a test knows
//! when nothing more will happen.

use std::io;

use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::link::{Link, Way};

/// Bytes that may be under way in each direction.
const CAPACITY: usize = 64 << 10;

/// More than anybody sends.
const AMPLE: usize = 64 << 20;

/// A listener of connections in memory.
#[derive(Debug)]
pub(crate) struct Memory(UnboundedReceiver<Link>);

/// What connects to a [`Memory`].
#[derive(Clone, Debug)]
pub(crate) struct Dialer(UnboundedSender<Link>);

impl Memory {
    pub(crate) fn bind() -> (Self, Dialer) {
        let (send, receive) = unbounded_channel();
        (Self(receive), Dialer(send))
    }
}

impl Dialer {
    pub(crate) fn connect(&self) -> DuplexStream {
        self.connect_with(CAPACITY)
    }

    /// Connects by a network that holds so many bytes in each direction.
    pub(crate) fn connect_with(&self, capacity: usize) -> DuplexStream {
        self.dial(capacity, Way::Free)
    }

    /// Connects by a network that carries so many bytes a second towards the client, and as many as it likes towards the
    /// server.
    pub(crate) fn connect_at(&self, rate: u64) -> DuplexStream {
        self.dial(AMPLE, Way::Shaped(rate))
    }

    /// The same, with a layer before it that buffers as TLS does.
    pub(crate) fn connect_sealed_at(&self, rate: u64) -> DuplexStream {
        self.dial(AMPLE, Way::Sealed(rate))
    }

    fn dial(&self, capacity: usize, way: Way) -> DuplexStream {
        let (ours, theirs) = duplex(capacity);
        self.0
            .send(Link::new(theirs, way))
            .expect("the server runs");
        ours
    }
}

impl axum::serve::Listener for Memory {
    type Io = Link;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(())
    }
}
