//! Early data (0-RTT) by clients whose flights are sent when the test says so.
#![cfg(all(feature = "rustls", feature = "axum", not(hotswap_loom)))]

mod common;

use std::{
    future::poll_fn,
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    pin::Pin,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit},
    http::{HeaderMap, Method, Request, Response, StatusCode},
    routing::{get, post},
    serve::Listener,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Instant,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, client::Resumption, pki_types::ServerName,
};
use tower::{Layer, ServiceExt, service_fn};
use tower_hotswap::{
    HotSwap, Version,
    tls::{
        EarlyDataLayer, EarlyDataMakeService, HandshakeInfo, HotTls, HotTlsBuilder, HotTlsListener,
        TicketKeys, TlsConnectInfo, TlsError,
    },
};

const LIMIT: u32 = 16 << 10;

fn version() -> Version {
    Version::new(semver::Version::new(1, 0, 0), b"")
}

/// A server's TLS, and the configuration of a client that trusts it and sends early data when it can.
fn pair(builder: HotTlsBuilder, protocol: &str) -> (HotTls, Arc<ClientConfig>) {
    let pair = common::pair();
    let mut client = common::client(&[&pair], protocol);
    client.enable_early_data = true;
    let tls = builder.build(common::certificates(&pair), version());
    (tls.unwrap(), Arc::new(client))
}

fn early() -> HotTlsBuilder {
    HotTls::builder().early_data(LIMIT)
}

/// A client that makes full handshakes.
fn without_sessions(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// A connection that sends only when it is told to.
struct Client<IO> {
    connection: ClientConnection,
    io: IO,
    plain: Vec<u8>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Client<IO> {
    fn new(config: &Arc<ClientConfig>, io: IO) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            connection: ClientConnection::new(config.clone(), name).unwrap(),
            io,
            plain: Vec::new(),
        }
    }

    /// Sends a ClientHello with early data.
    async fn begin(config: &Arc<ClientConfig>, io: IO, early: &[u8]) -> Self {
        let mut client = Self::new(config, io);
        let mut writer = client.connection.early_data().expect("a session for it");
        writer.write_all(early).unwrap();
        client.send().await;
        client
    }

    /// Sends what the connection has to send.
    async fn send(&mut self) {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes).unwrap();
        }
        self.io.write_all(&bytes).await.unwrap();
    }

    /// Reads once; false at the end.
    async fn receive(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        let count = self.io.read(&mut buffer).await.unwrap();
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes).unwrap();
            let state = self.connection.process_new_packets().unwrap();
            let from = self.plain.len();
            self.plain.resize(from + state.plaintext_bytes_to_read(), 0);
            let read = &mut self.plain[from..];
            if !read.is_empty() {
                self.connection.reader().read_exact(read).unwrap();
            }
        }
        count > 0
    }

    /// Receives, without sending anything, until that text came, and takes everything up to it.
    async fn until(&mut self, end: &str) -> String {
        let mut seen = 0;
        loop {
            let fresh = &self.plain[seen..];
            let found = fresh.windows(end.len()).position(|w| w == end.as_bytes());
            if let Some(at) = found {
                let rest = self.plain.split_off(seen + at + end.len());
                let taken = std::mem::replace(&mut self.plain, rest);
                return String::from_utf8_lossy(&taken).into_owned();
            }
            seen = self.plain.len().saturating_sub(end.len() - 1);
            let more = self.receive().await;
            assert!(more, "{:?}", String::from_utf8_lossy(&self.plain));
        }
    }

    async fn handshake(&mut self) {
        while self.connection.is_handshaking() {
            self.send().await;
            assert!(self.receive().await);
        }
        self.send().await;
    }

    async fn ask(&mut self, request: &[u8], end: &str) -> String {
        self.say(request).await;
        self.until(end).await
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.connection.writer().write_all(bytes).unwrap();
        self.send().await;
    }
}

/// Makes a session that the next connection can send early data by.
async fn first_visit(config: &Arc<ClientConfig>, address: SocketAddr) {
    let mut client = Client::new(config, TcpStream::connect(address).await.unwrap());
    client.handshake().await;
    let answer = client.ask(&closing("GET /"), "\n\n").await;
    assert!(
        answer.ends_with("GET, early [], accepted false\n\n"),
        "{answer}"
    );
    while client.receive().await {}
    assert_eq!(
        client.connection.handshake_kind(),
        Some(HandshakeKind::Full)
    );
}

async fn come_back(
    config: &Arc<ClientConfig>,
    address: SocketAddr,
    early: &[u8],
) -> Client<TcpStream> {
    let socket = TcpStream::connect(address).await.unwrap();
    Client::begin(config, socket, early).await
}

fn request(line: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").into()
}

fn closing(line: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into()
}

/// Says how a request came. What it says ends with an empty line.
async fn say(
    method: Method,
    ConnectInfo(info): ConnectInfo<TlsConnectInfo<SocketAddr>>,
    headers: HeaderMap,
) -> String {
    let early: Vec<_> = headers.get_all("early-data").iter().collect();
    format!(
        "{method}, early {early:?}, accepted {}\n\n",
        info.handshake.is_early
    )
}

const LARGE: usize = 3 << 20;

/// A listener's service, and how often its POST was called.
fn app() -> (Router, Arc<AtomicUsize>) {
    let orders = Arc::new(AtomicUsize::new(0));
    let order = {
        let orders = orders.clone();
        async move |body: Bytes| {
            orders.fetch_add(1, Ordering::SeqCst);
            format!("ordered {}\n\n", body.len())
        }
    };
    let app = Router::new()
        .route("/", get(say))
        .route("/order", post(order).get(say))
        .route("/large", get(async || "x".repeat(LARGE) + "\n\n"))
        .layer(DefaultBodyLimit::disable());
    (app, orders)
}

async fn serve(tls: HotTls) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let orders = serve_on(listener, tls);
    (address, orders)
}

fn serve_on<L: Listener<Addr = SocketAddr>>(listener: L, tls: HotTls) -> Arc<AtomicUsize> {
    let (app, orders) = app();
    let (app, handle) = HotSwap::new(app, version());
    let app = app.into_make_service_with_connect_info::<TlsConnectInfo<SocketAddr>>();
    let app = EarlyDataMakeService::new(app);
    tokio::spawn(async move {
        let _handle = handle;
        axum::serve(HotTlsListener::new(listener, tls), app).await
    });
    orders
}

#[tokio::test]
async fn a_safe_request_in_early_data_is_answered_before_the_handshake_ends() {
    let (tls, config) = pair(early(), "http/1.1");
    let (address, _) = serve(tls).await;
    first_visit(&config, address).await;
    let mut client = come_back(&config, address, &request("GET /")).await;
    // Nothing was sent but the first flight.
    let answer = client.until("\n\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("GET, early [\"1\"], accepted true"),
        "{answer}"
    );
    assert!(client.connection.is_early_data_accepted());
    client.send().await;
    let answer = client.ask(&request("GET /"), "accepted true\n\n").await;
    assert!(answer.contains("GET, early [], accepted true"), "{answer}");
}

#[tokio::test]
async fn other_requests_in_early_data_are_refused_by_425_until_the_handshake_ends() {
    let (tls, config) = pair(early(), "http/1.1");
    let (address, orders) = serve(tls).await;
    let upgrade =
        b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: any\r\n\r\n";
    for refused in [
        request("POST /order"),
        request("PUT /order"),
        upgrade.to_vec(),
    ] {
        first_visit(&config, address).await;
        let mut client = come_back(&config, address, &refused).await;
        let answer = client.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 425 Too Early"), "{answer}");
        assert_eq!(orders.load(Ordering::SeqCst), 0);
    }
    first_visit(&config, address).await;
    let mut client = come_back(&config, address, &request("POST /order")).await;
    client.until("\r\n\r\n").await;
    client.send().await;
    let answer = client.ask(&request("POST /order"), "\n\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(orders.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_stream_of_an_early_connection_carries_large_bodies_both_ways() {
    let (tls, config) = pair(early(), "http/1.1");
    let (address, _) = serve(tls).await;
    first_visit(&config, address).await;
    let mut client = come_back(&config, address, &request("GET /large")).await;
    // More than all buffers hold, before the handshake ends.
    let answer = client.until("\n\n").await;
    assert!(answer.len() > LARGE);
    client.send().await;
    let head =
        format!("POST /order HTTP/1.1\r\nhost: localhost\r\ncontent-length: {LARGE}\r\n\r\n");
    client
        .connection
        .writer()
        .write_all(head.as_bytes())
        .unwrap();
    for _ in 0..LARGE / 16384 {
        client
            .connection
            .writer()
            .write_all(&[b'x'; 16384])
            .unwrap();
        client.send().await;
    }
    let answer = client.until("\n\n").await;
    assert!(
        answer.ends_with(&format!("ordered {LARGE}\n\n")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_closing_server_waits_for_the_handshake_and_gives_a_new_session() {
    let (tls, config) = pair(early(), "http/1.1");
    let (address, _) = serve(tls).await;
    first_visit(&config, address).await;
    for _ in 0..3 {
        let mut client = come_back(&config, address, &closing("GET /")).await;
        let answer = client.until("\n\n").await;
        assert!(answer.contains("early [\"1\"], accepted true"), "{answer}");
        client.send().await;
        while client.receive().await {}
        // Announced, not cut off.
        let mut rest = [0];
        assert_eq!(client.connection.reader().read(&mut rest).unwrap(), 0);
    }
}

#[tokio::test]
async fn http2_is_answered_early() {
    let (tls, config) = pair(early(), "h2");
    let (address, orders) = serve(tls).await;
    // The preface, empty SETTINGS, and a request whose fields are in HPACK's static table but for the authority.
    let visit = |method: u8| {
        let head = [&[method, 0x87, 0x84, 0x41, 9][..], b"localhost"].concat();
        let frame = [0, 0, head.len() as u8, 1, 5, 0, 0, 0, 1];
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        [&preface[..], &frame, &head].concat()
    };
    let (get, post) = (visit(0x82), visit(0x83));
    for early in [&get, &post] {
        let mut client = Client::new(&config, TcpStream::connect(address).await.unwrap());
        client.handshake().await;
        let answer = client.ask(&get, "\n\n").await;
        assert!(answer.contains("GET, early [], accepted false"), "{answer}");
        drop(client);
        let mut client = come_back(&config, address, early).await;
        if early == &get {
            let answer = client.until("\n\n").await;
            assert!(
                answer.contains("GET, early [\"1\"], accepted true"),
                "{answer}"
            );
        } else {
            // The field `:status` with the value 425, as it is or by Huffman's code.
            let plain = *b"\x48\x03425";
            let huffman = [0x48, 0x83, 0x68, 0x4d, 0xff];
            while !client.plain.windows(5).any(|w| w == plain || w == huffman) {
                assert!(client.receive().await, "{:x?}", client.plain);
            }
        }
        assert!(client.connection.is_early_data_accepted());
    }
    assert_eq!(orders.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn early_data_is_off_by_default_and_refused_then() {
    for builder in [HotTls::builder(), HotTls::builder().session_cache(64)] {
        let (tls, config) = pair(early(), "http/1.1");
        let (address, _) = serve(tls.clone()).await;
        first_visit(&config, address).await;
        // The same certificates without early data: the client has a session and tries.
        let off = builder.build_from(tls.certificates().clone()).unwrap();
        let (off_address, orders) = serve(off).await;
        let mut client = come_back(&config, off_address, &request("POST /order")).await;
        client.handshake().await;
        assert!(!client.connection.is_early_data_accepted());
        let answer = client.ask(&closing("GET /"), "\n\n").await;
        // The early request is gone with the early data.
        assert!(answer.contains("GET, early [], accepted false"), "{answer}");
        assert_eq!(orders.load(Ordering::SeqCst), 0);
        while client.receive().await {}
        // Nor does it tell clients that they could.
        let mut next = Client::new(&config, TcpStream::connect(off_address).await.unwrap());
        assert!(next.connection.early_data().is_none());
    }
}

/// Makes a session by a stream in memory.
async fn first_visit_in_memory(tls: &HotTls, config: &Arc<ClientConfig>) {
    first_visit_by(duplex(64 << 10), tls, config).await;
}

async fn first_visit_by(
    (near, far): (DuplexStream, DuplexStream),
    tls: &HotTls,
    config: &Arc<ClientConfig>,
) {
    let mut client = Client::new(config, near);
    let accept = async {
        let mut stream = tls.accept(far).await.unwrap();
        assert!(stream.take_early_data().is_none());
        assert!(!HandshakeInfo::of(&stream).is_early);
        stream.write_all(b".").await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let visit = async {
        client.handshake().await;
        client.until(".").await;
        while client.receive().await {}
    };
    tokio::join!(accept, visit);
}

/// The first flight of a client that comes back.
fn first_flight(config: &Arc<ClientConfig>, early: &[u8]) -> (ClientConnection, Vec<u8>) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(config.clone(), name).unwrap();
    let mut writer = connection.early_data().expect("a session for it");
    writer.write_all(early).unwrap();
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes).unwrap();
    }
    (connection, bytes)
}

#[tokio::test]
async fn a_replayed_first_flight_is_not_accepted() {
    let (tls, config) = pair(early(), "http/1.1");
    first_visit_in_memory(&tls, &config).await;
    let (_, flight) = first_flight(&config, b"once");
    let mut accepted = 0;
    for _ in 0..3 {
        let (mut near, far) = duplex(64 << 10);
        near.write_all(&flight).await.unwrap();
        // Whoever replays it cannot go on.
        near.shutdown().await.unwrap();
        match tls.accept(far).await {
            Ok(mut stream) => {
                accepted += 1;
                let early = stream.take_early_data().expect("early data");
                let mut bytes = [0; 4];
                stream.read_exact(&mut bytes).await.unwrap();
                assert_eq!(&bytes, b"once");
                assert!(early.is_pending());
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}"),
        }
    }
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn another_protocol_gets_no_early_data() {
    let (tls, config) = pair(early(), "h2");
    first_visit_in_memory(&tls, &config).await;
    let mut other = ClientConfig::clone(&config);
    other.alpn_protocols = vec!["http/1.1".into()];
    let (_, flight) = first_flight(&Arc::new(other), b"PRI");
    let (mut near, far) = duplex(64 << 10);
    near.write_all(&flight).await.unwrap();
    near.shutdown().await.unwrap();
    let error = tls.accept(far).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
}

/// Whether reading has something at once.
async fn reads_at_once(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = [0; 64];
    let mut buffer = ReadBuf::new(&mut bytes);
    let read = poll_fn(|cx: &mut Context<'_>| {
        let read = Pin::new(&mut *stream).poll_read(cx, &mut buffer);
        Poll::Ready(read.map(Result::unwrap))
    })
    .await;
    read.is_ready().then(|| buffer.filled().to_vec())
}

#[tokio::test]
async fn without_a_guard_early_data_waits_for_the_end_of_the_handshake() {
    let (tls, config) = pair(early(), "http/1.1");
    for taken in [false, true] {
        first_visit_in_memory(&tls, &config).await;
        let (connection, flight) = first_flight(&config, b"early");
        let (mut near, far) = duplex(64 << 10);
        near.write_all(&flight).await.unwrap();
        let mut stream = tls.accept(far).await.unwrap();
        assert!(HandshakeInfo::of(&stream).is_early);
        assert_eq!(reads_at_once(&mut stream).await, None, "nobody asks");
        let early = taken.then(|| stream.take_early_data().unwrap());
        let wanted = taken.then(|| b"early".to_vec());
        assert_eq!(reads_at_once(&mut stream).await, wanted);
        let mut client = Client {
            connection,
            io: near,
            plain: Vec::new(),
        };
        client.handshake().await;
        client.say(b"late").await;
        let mut bytes = Vec::new();
        while let Some(more) = reads_at_once(&mut stream).await {
            bytes.extend(more);
        }
        assert_eq!(bytes, if taken { &b"late"[..] } else { b"earlylate" });
        assert!(early.is_none_or(|early| !early.is_pending()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_little_at_a_time_gets_everything() {
    for size in [1, 97, 5000] {
        let (tls, config) = pair(early(), "http/1.1");
        first_visit_by(duplex(size), &tls, &config).await;
        let (near, far) = duplex(size);
        let serve = async {
            let mut stream = tls.accept(far).await.unwrap();
            let early = stream.take_early_data().expect("early data");
            let mut asked = [0; 1000];
            stream.read_exact(&mut asked).await.unwrap();
            assert!(early.is_pending());
            stream.write_all(&[b'x'; 100_000]).await.unwrap();
            stream.write_all(b"end").await.unwrap();
            stream.flush().await.unwrap();
            let mut late = [0; 4];
            stream.read_exact(&mut late).await.unwrap();
            assert_eq!(&late, b"late");
            assert!(!early.is_pending());
            stream.shutdown().await.unwrap();
        };
        let ask = async {
            let mut client = Client::begin(&config, near, &[b'?'; 1000]).await;
            assert_eq!(client.until("end").await.len(), 100_003, "size {size}");
            client.say(b"late").await;
            while client.receive().await {}
        };
        tokio::join!(serve, ask);
    }
}

#[tokio::test(start_paused = true)]
async fn halves_in_two_tasks_both_go_on() {
    for comes_back in [false, true] {
        let (tls, config) = pair(early(), "http/1.1");
        first_visit_in_memory(&tls, &config).await;
        // Takes less than the server's first flight.
        let (near, far) = duplex(1000);
        let serve = async {
            let stream = tls.accept(far).await.unwrap();
            assert_eq!(stream.take_early_data().is_some(), comes_back);
            let (mut reader, mut writer) = tokio::io::split(stream);
            let read = tokio::spawn(async move {
                let mut all = Vec::new();
                reader.read_to_end(&mut all).await.map(|_| all)
            });
            let write = tokio::spawn(async move {
                writer.write_all(&[b'x'; 100_000]).await.unwrap();
                writer.write_all(b"end").await.unwrap();
                writer.shutdown().await.unwrap();
            });
            write.await.unwrap();
            let read = read.await.unwrap().unwrap();
            assert!(read.ends_with(b"late"), "{read:?}");
        };
        let ask = async {
            let mut client = match comes_back {
                true => Client::begin(&config, near, b"early").await,
                false => Client::new(&without_sessions(&config), near),
            };
            client.handshake().await;
            assert_eq!(client.until("end").await.len(), 100_003);
            client.say(b"late").await;
            client.connection.send_close_notify();
            client.send().await;
            while client.receive().await {}
        };
        let both = async { tokio::join!(serve, ask) };
        let both = tokio::time::timeout(Duration::from_secs(60), both).await;
        both.expect("one half sleeps for ever");
    }
}

/// A listener in memory, so that the runtime's clock can stand still.
struct InMemory(mpsc::Receiver<DuplexStream>);

impl Listener for InMemory {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        match self.0.recv().await {
            Some(stream) => (stream, ([127, 0, 0, 1], 1).into()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 1).into())
    }
}

#[tokio::test(start_paused = true)]
async fn who_never_ends_the_handshake_is_closed_by_its_time_limit() {
    let (tls, config) = pair(early(), "http/1.1");
    first_visit_in_memory(&tls, &config).await;
    let (sender, receiver) = mpsc::channel(1);
    serve_on(InMemory(receiver), tls);
    let (near, far) = duplex(64 << 10);
    sender.send(far).await.unwrap();
    let start = Instant::now();
    let mut client = Client::begin(&config, near, &request("GET /")).await;
    let answer = client.until("\n\n").await;
    assert!(answer.contains("accepted true"), "{answer}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    while client.receive().await {}
    assert_eq!(start.elapsed().as_secs(), 10, "the listener's default");
}

#[tokio::test(start_paused = true)]
async fn without_a_listener_the_rest_of_a_handshake_has_ten_seconds() {
    let (tls, config) = pair(early(), "http/1.1");
    first_visit_in_memory(&tls, &config).await;
    let (connection, flight) = first_flight(&config, b"early");
    let (mut near, far) = duplex(64 << 10);
    near.write_all(&flight).await.unwrap();
    let mut stream = tls.accept(far).await.unwrap();
    let start = Instant::now();
    let error = stream.shutdown().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(start.elapsed().as_secs(), 10);
    drop(connection);
}

#[tokio::test]
async fn sessions_that_can_be_used_twice_are_refused() {
    let keys = TicketKeys::derived(&[7; 32]).unwrap();
    for builder in [early().tickets(keys), early().no_resumption()] {
        let (tls, _) = pair(HotTls::builder(), "h2");
        let error = builder.build_from(tls.certificates().clone()).unwrap_err();
        assert!(matches!(error, TlsError::EarlyDataWithoutCache), "{error}");
    }
}

#[tokio::test]
async fn what_a_proxy_marked_as_early_is_refused_unless_it_is_safe() {
    let says = |request: Request<Body>| async move {
        let early = request.headers().contains_key("early-data");
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(early.to_string())))
    };
    let cases: [(&str, &[&str], StatusCode); 9] = [
        ("GET", &[], StatusCode::OK),
        ("POST", &[], StatusCode::OK),
        ("GET", &["1"], StatusCode::OK),
        ("HEAD", &["1"], StatusCode::OK),
        ("OPTIONS", &["1"], StatusCode::OK),
        ("POST", &["1"], StatusCode::TOO_EARLY),
        // RFC 8470 §5.1: invalid values and several instances count as one of 1.
        ("DELETE", &["0"], StatusCode::TOO_EARLY),
        ("PATCH", &["1", "1"], StatusCode::TOO_EARLY),
        ("CONNECT", &["1"], StatusCode::TOO_EARLY),
    ];
    for (method, marks, wanted) in cases {
        let service = EarlyDataLayer::new().layer(service_fn(says));
        let mut request = Request::builder().method(method).uri("/");
        for mark in marks {
            request = request.header("early-data", *mark);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.status(), wanted, "{method} {marks:?}");
        let body = axum::body::to_bytes(response.into_body(), 64)
            .await
            .unwrap();
        let forwarded: &[u8] = match (wanted, marks) {
            (StatusCode::OK, []) => b"false",
            (StatusCode::OK, _) => b"true",
            _ => b"",
        };
        assert_eq!(&body[..], forwarded, "{method} {marks:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_sends_early_data() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!(
            "!!! NOT TESTED: openssl is not installed, so nothing is known of its early data"
        );
        return;
    }
    let (tls, _) = pair(early(), "http/1.1");
    let (address, orders) = serve(tls).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: Vec<String>, input: Vec<u8>| async move {
        let run = move || {
            let mut child = Command::new("openssl")
                .args([
                    "s_client",
                    "-connect",
                    &address.to_string(),
                    "-servername",
                    "localhost",
                ])
                .args(["-tls1_3", "-alpn", "http/1.1", "-ign_eof"])
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(&input).unwrap();
            let output = child.wait_with_output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    for early in ["GET /", "POST /order"] {
        let out = vec!["-sess_out".to_owned(), path("session")];
        let said = run(out, closing("GET /")).await;
        assert!(said.contains("accepted false"), "{said}");
        std::fs::write(path("early"), request(early)).unwrap();
        let again = ["-sess_in", &path("session"), "-early_data", &path("early")];
        let said = run(again.map(str::to_owned).to_vec(), closing("GET /")).await;
        assert!(said.contains("Early data was accepted"), "{said}");
        // It does not wait for the answer, so that the handshake may end before the request is looked at.
        let answers = said.matches("HTTP/1.1 200").count();
        let refused = said.matches("HTTP/1.1 425").count();
        assert_eq!(answers + refused, 2, "{early}: {said}");
        let ordered = orders.swap(0, Ordering::SeqCst);
        let wanted = usize::from(early != "GET /");
        assert_eq!(ordered + refused, wanted, "{early}: {said}");
    }
}
