use std::{future::Future, io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

use super::ClientAddress;
use crate::descriptors::Short;

/// Where connections come from: a listening socket that reports its errors.
///
/// axum's `Listener` hides them and sleeps for a second when descriptors run out; admission must see them.
pub trait Accept: Send + 'static {
    /// The accepted transport.
    type Io: Transport;

    /// The peer's address.
    type Address: ClientAddress;

    /// Waits for a connection.
    ///
    /// # Errors
    /// Those of accept(2).
    ///
    /// # Cancellation
    /// A future that is dropped must not lose a connection: this one is dropped and made anew all the time.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Address)>> + Send;

    /// The address that is listened on.
    ///
    /// # Errors
    /// Those of getsockname(2).
    fn local_addr(&self) -> io::Result<Self::Address>;
}

/// A transport that can be ended hard.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Has the following drop discard what was not sent, and reset the connection.
    fn set_reset(&self);

    /// The descriptor, by which the leak detector knows it as ours.
    fn descriptor(&self) -> Option<i32>;

    /// Has it take no more while so many bytes are unsent: [`Limits::unsent`](super::Limits::unsent). By default it does
    /// nothing.
    fn hold_unsent(&self, bytes: u32) {
        let _ = bytes;
    }
}

impl Accept for TcpListener {
    type Io = TcpStream;
    type Address = SocketAddr;

    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        TcpListener::accept(self)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

impl Transport for TcpStream {
    fn set_reset(&self) {
        // It fails on a socket that is already dead, which is as good.
        let _ = self.set_zero_linger();
    }

    fn descriptor(&self) -> Option<i32> {
        #[cfg(unix)]
        return Some(std::os::fd::AsRawFd::as_raw_fd(self));
        #[cfg(not(unix))]
        None
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn hold_unsent(&self, bytes: u32) {
        // An error leaves the system's own value; a socket that is gone needs none.
        let _ = socket2::SockRef::from(self).set_tcp_notsent_lowat(bytes);
    }
}

#[cfg(unix)]
mod unix {
    use std::{io, net::IpAddr, os::fd::AsRawFd, sync::Arc};

    use tokio::net::{UnixListener, UnixStream, unix};

    use super::{Accept, ClientAddress, SocketAddr, Transport};

    /// The address of a Unix socket's peer, which usually has none.
    #[derive(Clone, Debug)]
    pub struct UnixAddress(Arc<unix::SocketAddr>);

    impl UnixAddress {
        /// The address itself.
        pub fn get(&self) -> &unix::SocketAddr {
            &self.0
        }
    }

    impl ClientAddress for UnixAddress {
        fn ip(&self) -> Option<IpAddr> {
            None
        }

        fn proxied(_: SocketAddr) -> Option<Self> {
            None
        }
    }

    impl Accept for UnixListener {
        type Io = UnixStream;
        type Address = UnixAddress;

        async fn accept(&mut self) -> io::Result<(UnixStream, UnixAddress)> {
            let (io, address) = UnixListener::accept(self).await?;
            Ok((io, UnixAddress(Arc::new(address))))
        }

        fn local_addr(&self) -> io::Result<UnixAddress> {
            UnixListener::local_addr(self).map(|address| UnixAddress(Arc::new(address)))
        }
    }

    impl Transport for UnixStream {
        fn set_reset(&self) {}

        fn descriptor(&self) -> Option<i32> {
            Some(self.as_raw_fd())
        }
    }
}

#[cfg(unix)]
pub use unix::UnixAddress;

impl Transport for tokio::io::DuplexStream {
    fn set_reset(&self) {}

    fn descriptor(&self) -> Option<i32> {
        None
    }
}

/// Whether an error of accept(2) is the connection's own, so that the next one may be taken at once.
pub(crate) fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Who has no descriptors left, if an error of accept(2) says that.
pub(crate) fn out_of_descriptors(error: &io::Error) -> Option<Short> {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match error.raw_os_error().filter(|_| cfg!(unix))? {
        EMFILE => Some(Short::Process),
        ENFILE => Some(Short::System),
        _ => None,
    }
}
