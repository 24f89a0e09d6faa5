//! Listening sockets: taken over from whoever started the process, or bound here.
//!
//! systemd (socket activation) and a server that restarts itself (see [`crate::restart`]) hand sockets over by
//! the same protocol: `LISTEN_FDS` descriptors, named by `LISTEN_FDNAMES` as `http`, `https` and `admin`.

use std::net::{SocketAddr, TcpListener};
use std::{fmt, io};

use crate::config::settings::{self, Setting};
use crate::config::{Config, RunMode};
use crate::restart::Predecessor;
use crate::serve::Port;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// The listening sockets, by port: one, or in thread-per-core mode one a thread.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    by_port: [Vec<TcpListener>; 3],
    /// Whether they are where the settings say, by this process or the one before.
    bound: [bool; 3],
}

impl Sockets {
    /// Takes what was handed over and binds the rest. systemd knows where to listen; what the predecessor has bound is
    /// taken if it is where the settings have it now.
    ///
    /// # Errors
    /// When an address cannot be listened on, or what was handed over is not a listening socket.
    pub(crate) fn open(
        config: &Config,
        predecessor: Option<&Predecessor>,
    ) -> Result<Self, ListenError> {
        let mut sockets = inherited()?;
        let data = match config.run_mode {
            RunMode::MultiThread => 1,
            RunMode::ThreadPerCore => threads(config),
        };
        for (port, address, setting, count) in [
            (Port::Http, Some(config.listen), &settings::LISTEN, data),
            (Port::Https, config.tls_listen, &settings::TLS_LISTEN, data),
            (Port::Admin, config.admin_listen, &settings::ADMIN_LISTEN, 1),
        ] {
            let of_port = &mut sockets.by_port[port as usize];
            let bound = &mut sockets.bound[port as usize];
            *bound = of_port.is_empty() || predecessor.is_some_and(|it| it.has_bound(port));
            match address {
                None => of_port.clear(),
                Some(address) if !*bound || listen_on(of_port, address) => {}
                Some(address) => {
                    if !of_port.is_empty() {
                        let port = port.name();
                        tracing::info!(port, %address, "the process before was at another address");
                    }
                    *of_port = bind_all(address, count)
                        .map_err(|source| ListenError::bind(config, setting, address, source))?;
                }
            }
        }
        Ok(sockets)
    }

    /// Where a port listens; `None` when it is off.
    pub(crate) fn address(&self, port: Port) -> Option<SocketAddr> {
        self.of(port).first()?.local_addr().ok()
    }

    /// Whether the sockets of a port are where the settings say, and not where systemd put them.
    #[cfg(unix)]
    pub(crate) fn are_bound(&self, port: Port) -> bool {
        self.bound[port as usize]
    }

    /// The sockets of a port.
    pub(crate) fn of(&self, port: Port) -> &[TcpListener] {
        &self.by_port[port as usize]
    }
}

/// How many threads serve requests.
pub(crate) fn threads(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.threads.unwrap_or_else(cores)
}

/// Whether sockets listen on an address; any port will do for port 0.
fn listen_on(sockets: &[TcpListener], address: SocketAddr) -> bool {
    let is_there = |at: SocketAddr| match address.port() {
        0 => at.ip() == address.ip(),
        _ => at == address,
    };
    let first = sockets.first().and_then(|socket| socket.local_addr().ok());
    first.is_some_and(is_there)
}

/// Several sockets of one address share it by `SO_REUSEPORT`: the kernel spreads connections over them.
fn bind_all(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    if count > 1 {
        // Another server would share its port, too, if nobody asked first.
        probe(address)?;
    }
    let first = bind(address, count > 1)?;
    // With port 0 the others take the port that the first was given.
    let address = first.local_addr()?;
    let mut all = vec![first];
    for _ in 1..count {
        all.push(bind(address, true)?);
    }
    Ok(all)
}

/// Whether an address can be listened on: the kernel says so before anybody can connect.
#[cfg(unix)]
fn probe(address: SocketAddr) -> io::Result<()> {
    bound(address, false).map(drop)
}

#[cfg(not(unix))]
fn probe(address: SocketAddr) -> io::Result<()> {
    bind(address, false).map(drop)
}

#[cfg(unix)]
fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = bound(address, shared)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A socket that has its address, and does not listen yet.
#[cfg(unix)]
fn bound(address: SocketAddr, shared: bool) -> io::Result<socket2::Socket> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Connections of an earlier process that linger do not keep the port from being used again.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(not(unix))]
fn bind(address: SocketAddr, _shared: bool) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The sockets that this process was started with.
#[cfg(unix)]
fn inherited() -> Result<Sockets, ListenError> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut handed = listenfd::ListenFd::from_env();
    let mut sockets = Sockets::default();
    for index in 0..handed.len() {
        let name = names.split(':').nth(index).filter(|name| !name.is_empty());
        // Without names they are in the order of the ports.
        let port = match name {
            Some(name) => Port::ALL.into_iter().find(|port| port.name() == name),
            None => Port::ALL.get(index).copied(),
        };
        let Some(port) = port else {
            return Err(ListenError::Inherited(format!(
                "socket {index} is named {name:?}; the names are http, https and admin"
            )));
        };
        let listener = handed
            .take_tcp_listener(index)
            .and_then(|listener| listener.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| {
                ListenError::Inherited(format!("socket {index} is no TCP listener: {error}"))
            })?;
        sockets.by_port[port as usize].push(listener);
    }
    Ok(sockets)
}

#[cfg(not(unix))]
fn inherited() -> Result<Sockets, ListenError> {
    Ok(Sockets::default())
}

/// Why there is nothing to accept connections from.
#[derive(Debug)]
pub(crate) enum ListenError {
    /// The address cannot be listened on; the text names it and says what to do.
    Bind { advice: String, source: io::Error },
    /// What was handed over cannot be used.
    Inherited(String),
}

impl ListenError {
    fn bind(config: &Config, setting: &Setting, address: SocketAddr, source: io::Error) -> Self {
        let why = match source.kind() {
            io::ErrorKind::AddrInUse => format!(
                "another program listens there; stop it, or choose another port ({} 127.0.0.1:0 takes a free one)",
                setting.flag()
            ),
            io::ErrorKind::PermissionDenied => {
                "this user may not open that port; choose one above 1023".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
            _ => "the operating system refused".to_owned(),
        };
        let origin = config.origin(setting);
        ListenError::Bind {
            advice: format!("cannot listen on {address} ({origin}): {why}"),
            source,
        }
    }
}

/// An address that can be opened: every interface's is shown as this machine's own.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            (std::net::Ipv6Addr::LOCALHOST, v6.port()).into()
        }
        _ => address,
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Bind { advice, source } => write!(f, "{advice} [{source}]"),
            ListenError::Inherited(message) => write!(f, "cannot take over: {message}"),
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ListenError::Bind { source, .. } => Some(source),
            ListenError::Inherited(_) => None,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn who_connects_while_an_address_is_probed_is_refused_and_not_cut_off() {
        let probing = bound("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let address = probing.local_addr().unwrap().as_socket().unwrap();
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_unspecified_address_is_shown_as_this_machine() {
        for (bound, shown) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), shown);
        }
    }

    #[test]
    fn a_probe_finds_who_listens_already() {
        for shared in [false, true] {
            let other = bind("127.0.0.1:0".parse().unwrap(), shared).unwrap();
            let taken = probe(other.local_addr().unwrap()).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse, "shared: {shared}");
        }
    }
}
