//! What response priority costs: HTTP/2 with nothing prioritised, beside hyper and axum without it.
//!
//! Every server answers with equal bytes from the same service, on a core of its own with tokio's usual runtime of
//! several threads, and speaks h2c.
//! `hyper` is hyper-util's server, which runs each stream in a task; `axum` is `axum::serve` with a router; `layered` is
//! that with our listener and layer; `ours` is our `serve` with the service hyper has, and `ours, spawn` the same
//! without running handlers in the connection's task.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpListener,
};
use tower_flowctl::{
    http2::{PriorityLayer, PriorityListener},
    serve::Exec,
};
use tower_service::Service;

use crate::{
    alloc,
    cachegrind::{self, Depth, Probe},
    hot::HotPath,
    load::{self, Ask, Plan, Protocol, Span},
    process::{Cores, Server, announce, on_core},
    report::{Better, Report, Table, number},
    rounds::{self, Sample, Series},
    suite::{Options, Suite},
};

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "flowctl",
    "HTTP/2 with response priority beside hyper and axum",
    run,
)
.peers(PEERS)
.cases(&["small", "100 KB", "4 MB", "4 MB alone"])
.hot_paths(hot_paths)
.serve(serve)
.probe(probe);

const PEERS: &[&str] = &["hyper", "axum", "layered", "ours", "ours, spawn"];
const REFERENCE: &str = "hyper";
/// Streams of a connection with large responses, and the bytes of the largest.
const STREAMS: usize = 10;
const MOST: usize = 4_000_000;

/// A name, the path, the length of its answer, connections, and streams on each.
const CASES: &[(&str, &str, u64, usize, usize)] = &[
    ("small", "/small", 13, 8, 32),
    ("100 KB", "/100000", 100_000, 8, 10),
    ("4 MB", "/4000000", 4_000_000, 1, 10),
    ("4 MB alone", "/4000000", 4_000_000, 1, 1),
];

fn run(options: &Options) -> Result<(), String> {
    let mut servers = Vec::new();
    for &name in PEERS {
        if matches!(name, REFERENCE | "ours") || options.wants_peer(name) {
            servers.push((name.to_owned(), Server::ours(name, "flowctl", &[name])?));
        }
    }
    let mut report = Report::new("flowctl");
    report.note("Closed loops over h2c, a core for the server (two threads, tokio's multi-thread runtime), another for the load; medians of interleaved rounds. `CPU us` is the server's time a request, user and system.");
    for &(case, path, length, connections, in_flight) in CASES {
        if !options.wants_case(case) {
            continue;
        }
        let all = on_core(Cores::split().client, || {
            rounds::interleave(case, &mut servers, options.pick(3, 15), |_, server, _| {
                let outcome = load::run(&Plan {
                    protocol: Protocol::Http2,
                    connections,
                    in_flight,
                    span: Span::Time(Duration::from_millis(options.pick(300, 1_000))),
                    pid: Some(server.pid()),
                    ..Plan::new(server.address, vec![Ask::get(path).length(length)])
                })?
                .checked()?;
                Ok(Sample::new()
                    .with("CPU us", outcome.cpu_micros())
                    .with("requests/s", outcome.rate()))
            })
        })??;
        let title =
            format!("{case}: {length} bytes, {connections} connections with {in_flight} streams");
        report.series(case, &all)?;
        report.table(Table::of_series(
            &title,
            "server",
            &["CPU us", "requests/s"],
            &all,
            REFERENCE,
        ));
        if let (Some(ours), Some(hyper)) = (named(&all, "ours"), named(&all, REFERENCE)) {
            report.figure(
                format!("{case}: requests a second, of hyper's"),
                ours.ratio(hyper, "requests/s"),
                "x",
                Better::Higher,
            );
            report.figure(
                format!("{case}: CPU, of hyper's"),
                ours.ratio(hyper, "CPU us"),
                "x",
                Better::Lower,
            );
        }
    }
    report.table(in_memory()?);
    report.finish(options)
}

fn named<'a>(all: &'a [Series], name: &str) -> Option<&'a Series> {
    all.iter().find(|series| series.name == name)
}

/// `/N` is N bytes, `/small` thirteen.
///
/// Responses that are under way together are of different memory, as different files would be: if they were one and the same,
/// a server that sends a piece of each in turn would have all but the first from the processor's cache.
#[derive(Clone)]
struct App {
    bodies: Arc<[Bytes; STREAMS]>,
    next: Arc<AtomicUsize>,
}

impl App {
    fn new() -> Self {
        Self {
            bodies: Arc::new(std::array::from_fn(|_| vec![b'x'; MOST].into())),
            next: Arc::default(),
        }
    }

    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let path = path.trim_start_matches('/');
        if path == "small" {
            return Response::new(Full::new(Bytes::from_static(b"Hello, World!")));
        }
        match path.parse::<usize>() {
            Ok(length) if length <= MOST => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let body = &self.bodies[number % self.bodies.len()];
                Response::new(Full::new(body.slice(..length)))
            }
            _ => {
                let mut response = Response::default();
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }
}

impl<B> Service<Request<B>> for App {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.uri().path())))
    }
}

fn router() -> axum::Router {
    let app = App::new();
    axum::Router::new().route(
        "/{path}",
        axum::routing::get(|axum::extract::Path(path): axum::extract::Path<String>| async move {
            app.answer(&path)
        }),
    )
}

/// Runs in the server's process.
fn serve(arguments: &[String]) -> Result<(), String> {
    // As `#[tokio::main]` makes it on two cores.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .map_err(|error| format!("cannot listen: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        announce(address);
        // The same bytes for all connections, of every server.
        let app = App::new();
        match arguments.concat().as_str() {
            "hyper" => loop {
                let (socket, _) = listener.accept().await.map_err(|error| error.to_string())?;
                tokio::spawn(hyper(socket, app.clone()));
            },
            "axum" => axum::serve(listener, router())
                .await
                .map_err(|error| error.to_string()),
            "layered" => {
                let app = router().layer(PriorityLayer::new());
                axum::serve(PriorityListener::new(listener), app)
                    .await
                    .map_err(|error| error.to_string())
            }
            "ours" => {
                tower_flowctl::serve(listener, app).run().await;
                Ok(())
            }
            "ours, spawn" => {
                let server = tower_flowctl::serve(listener, app);
                server.exec(Exec::Spawn).run().await;
                Ok(())
            }
            other => Err(format!("no server is called `{other}`")),
        }
    })
}

async fn hyper<Io>(io: Io, app: App)
where
    Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // The load generator ends connections as it likes.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(app))
        .await;
}

/// Requests of a pass.
const REQUESTS: usize = 100;

fn hot_paths() -> Result<Vec<HotPath>, String> {
    Ok(vec![HotPath::new(
        "a small GET through serve",
        REQUESTS,
        || conversation(Subject::Ours, SMALL),
    )])
}

/// Whose server is in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Hyper,
    Ours,
}

/// The answer whose instructions are counted. How a large body is cut depends on how fast its socket is, and under valgrind
/// none is: its counts would say nothing, so it is timed only.
const SMALL: &str = "/small";

/// What valgrind runs: `hyper` or `ours`.
fn probe(arguments: &[String], passes: usize) -> Result<(), String> {
    let subject = match arguments.concat().as_str() {
        "hyper" => Subject::Hyper,
        "ours" => Subject::Ours,
        other => return Err(format!("no server is called `{other}`")),
    };
    let mut pass = conversation(subject, SMALL);
    for _ in 0..passes {
        pass();
    }
    Ok(())
}

/// Instructions and allocations of a small request in memory. Client and transport are in them, and the same for both.
fn in_memory() -> Result<Table, String> {
    let mut table = Table::new(
        "A small request over a connection in memory, client included",
        &["server", "instructions", "of hyper's", "allocations"],
    );
    let subjects = [(Subject::Hyper, "hyper"), (Subject::Ours, "ours")];
    let probes = subjects.map(|(_, name)| Probe {
        args: ["flowctl", name].map(str::to_owned).to_vec(),
        units_per_pass: REQUESTS,
        passes: (1, 3),
    });
    let counts = cachegrind::run_all(&probes, Depth::Instructions)?;
    for ((subject, name), count) in subjects.into_iter().zip(&counts) {
        let mut pass = conversation(subject, SMALL);
        pass();
        let ((), allocations) = alloc::count(&mut pass);
        table.row(vec![
            name.to_owned(),
            number(count.instructions),
            number(count.instructions / counts[0].instructions),
            number(allocations as f64 / REQUESTS as f64),
        ]);
    }
    Ok(table)
}

/// A connection in memory; a call sends so many requests and reads the answers.
fn conversation(subject: Subject, path: &'static str) -> Box<dyn FnMut()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (client, server) = tokio::io::duplex(1 << 20);
    match subject {
        Subject::Hyper => drop(runtime.spawn(hyper(server, App::new()))),
        Subject::Ours => {
            runtime.spawn(tower_flowctl::serve(Once(Some(server)), App::new()).run());
        }
    }
    let mut peer = Peer {
        io: client,
        stream: 1,
        buffer: vec![0; 1 << 16],
        left: 0,
        head: Vec::new(),
    };
    runtime.block_on(peer.greet());
    Box::new(move || runtime.block_on(peer.ask(path)))
}

/// A listener of one connection.
struct Once(Option<DuplexStream>);

impl axum::serve::Listener for Once {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.take() {
            Some(io) => (io, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As little of a client as will do.
struct Peer {
    io: DuplexStream,
    stream: u32,
    buffer: Vec<u8>,
    /// What is left of a payload, and the part of a frame's header that has come.
    left: usize,
    head: Vec<u8>,
}

impl Peer {
    async fn greet(&mut self) {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]);
        self.send(&bytes).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.expect("the server is there");
    }

    async fn ask(&mut self, path: &str) {
        let mut bytes = Vec::new();
        // The window of all that is to come.
        bytes.extend([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0x9a, 0, 0]);
        for _ in 0..REQUESTS {
            let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
            block.extend(path.as_bytes());
            block.extend([0x01, 1, b'h']);
            bytes.extend([0, 0, block.len() as u8, 1, 5]);
            bytes.extend(self.stream.to_be_bytes());
            bytes.extend(block);
            self.stream += 2;
        }
        self.send(&bytes).await;
        let mut ended = 0;
        while ended < REQUESTS {
            let read = self
                .io
                .read(&mut self.buffer)
                .await
                .expect("the server is there");
            assert!(read > 0, "the server has closed the connection");
            ended += self.ends(read);
        }
    }

    /// How many responses end in the bytes read.
    fn ends(&mut self, read: usize) -> usize {
        let mut bytes = &self.buffer[..read];
        let mut ended = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let length = self.left.min(bytes.len());
                self.left -= length;
                bytes = &bytes[length..];
                continue;
            }
            let length = (9 - self.head.len()).min(bytes.len());
            self.head.extend(&bytes[..length]);
            bytes = &bytes[length..];
            if let &[a, b, c, kind, flags, ..] = self.head.as_slice()
                && self.head.len() == 9
            {
                self.left = u32::from_be_bytes([0, a, b, c]) as usize;
                ended += usize::from(kind <= 1 && flags & 1 != 0);
                self.head.clear();
            }
        }
        ended
    }
}
