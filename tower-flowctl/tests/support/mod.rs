//! A server under admission, and a client that does exactly what it is told.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::Router;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tower_flowctl::admission::{
    Admission, AdmissionListener, Connection, CountRequests, RemoteAddress, Snapshot,
};

pub(crate) struct Server {
    pub(crate) admission: Admission,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start(admission: Admission, app: Router) -> Self {
        Self::start_with(admission, |listener| {
            let make = app.into_make_service_with_connect_info::<RemoteAddress>();
            tokio::spawn(async { axum::serve(listener, CountRequests::new(make)).await });
        })
        .await
    }

    pub(crate) async fn start_with(
        admission: Admission,
        serve: impl FnOnce(AdmissionListener<TcpListener>),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        serve(admission.listener(listener));
        Self { admission, address }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Connects from an address of 127/8.
    pub(crate) async fn connect_from(&self, from: [u8; 4]) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        Client {
            io: socket.connect(self.address).await.unwrap(),
            read: Vec::new(),
        }
    }

    pub(crate) fn only_connection(&self) -> Connection {
        let [connection] = <[Connection; 1]>::try_from(self.admission.connections()).unwrap();
        connection
    }

    /// Waits until the server's state is as wanted; panics when it never is.
    pub(crate) async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) {
        let patience = Patience::begin();
        loop {
            let snapshot = self.admission.snapshot();
            if wanted(&snapshot) {
                return;
            }
            patience.check(&snapshot);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Whoever waits in a loop fails in the end, and says what was seen last.
pub(crate) struct Patience(Instant);

impl Patience {
    /// Longer than anything takes, however busy the machine is.
    const LASTS: Duration = Duration::from_secs(120);

    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn check(&self, seen: &dyn std::fmt::Debug) {
        assert!(self.0.elapsed() < Self::LASTS, "in vain: {seen:?}");
    }
}

/// An HTTP/1.1 connection.
pub(crate) struct Client {
    pub(crate) io: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.expect("a connection")
    }

    /// Connects, if the server lets it.
    pub(crate) async fn try_connect(address: SocketAddr) -> Option<Self> {
        Some(Self {
            io: TcpStream::connect(address).await.ok()?,
            read: Vec::new(),
        })
    }

    pub(crate) async fn send(&mut self, bytes: &str) {
        self.io.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// As [`send`](Self::send); false if the server has ended the connection.
    pub(crate) async fn try_send(&mut self, bytes: &str) -> bool {
        self.io.write_all(bytes.as_bytes()).await.is_ok()
    }

    /// Whether the server has ended the connection by now.
    pub(crate) fn has_ended(&self) -> bool {
        !matches!(self.io.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        self.receive().await.expect("an answer")
    }

    /// The next response; `None` if the connection ends first, in whichever way.
    pub(crate) async fn receive(&mut self) -> Option<Response> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let rest = self.read.split_off(end);
        let head = String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
        let length = head
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse().unwrap())
            })
            .unwrap_or(0);
        while self.read.len() < length {
            self.more().await?;
        }
        let rest = self.read.split_off(length);
        Some(Response {
            status: head[9..12].parse().unwrap(),
            head,
            body: std::mem::replace(&mut self.read, rest),
        })
    }

    /// Whether the server ends the connection, and in order.
    pub(crate) async fn is_at_end_of_file(&mut self) -> bool {
        self.read.is_empty()
            && matches!(self.io.read_u8().await, Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof)
    }

    async fn more(&mut self) -> Option<()> {
        match self.io.read_buf(&mut self.read).await {
            Ok(count) if count > 0 => Some(()),
            _ => None,
        }
    }
}
