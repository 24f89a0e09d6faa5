//! The listener, and what is known of the connections that it accepts.

use std::{io, net::SocketAddr};

use ::axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};

use crate::admission::{Accept, AdmissionListener, AdmittedStream, Connection, Transport};

impl<A: Accept> Listener for AdmissionListener<A> {
    type Io = AdmittedStream<A::Io>;
    type Addr = A::Address;

    fn accept(&mut self) -> impl Future<Output = (Self::Io, Self::Addr)> + Send {
        AdmissionListener::accept(self)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        AdmissionListener::local_addr(self)
    }
}

impl<A: Accept> Connected<IncomingStream<'_, AdmissionListener<A>>> for Connection {
    fn connect_info(stream: IncomingStream<'_, AdmissionListener<A>>) -> Self {
        stream.io().connection()
    }
}

/// A connection's address as `ConnectInfo<RemoteAddress>`: the peer's, or the client's that a trusted proxy names.
///
/// axum implements its `Connected` for a bare `SocketAddr` under its own listeners only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteAddress<A = SocketAddr>(pub A);

impl<A: Accept> Connected<IncomingStream<'_, AdmissionListener<A>>> for RemoteAddress<A::Address>
where
    A::Address: Sync,
{
    fn connect_info(stream: IncomingStream<'_, AdmissionListener<A>>) -> Self {
        Self(stream.remote_addr().clone())
    }
}

/// A transport from which the admitted connection below can be had.
pub trait Admitted {
    /// Its handle.
    fn admitted(&self) -> Connection;
}

impl<S: Transport> Admitted for AdmittedStream<S> {
    fn admitted(&self) -> Connection {
        self.connection()
    }
}
