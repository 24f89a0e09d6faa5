//! Whole servers: ours, axum as it comes, and the frameworks and servers beside them, in CPU time a request.
//!
//! The same work for everyone: `GET /hello` with 13 bytes of text, and `GET /api/v1/books/{id}` with a book as JSON, made
//! from the number in the path. Every server is a process with one worker on one core; the load has another core. The
//! Rust ones are programs of `benches/peers`, a package of its own so that nobody else compiles actix-web and the
//! like, with one profile (whole-program optimization) and one allocator (mimalloc) for all. nginx answers from its configuration, and
//! may_minihttp parses almost nothing: both do less than the rest.
//!
//! The example server is there as it is run, in both of its run modes: with every crate's layer on, an id and a histogram for each
//! request, and three more headers in each answer. It does more than the rest. Its books are those of its store, and longer:
//! the route bounds the request's body and checks that the number is one, the book is looked up and has an entity tag.
//!
//! Two rows say what the rest stands on, and what nobody gets below who answers one request a read: `hyper` is
//! hyper's HTTP/1.1 with one answer to everything, and `floor` a task of tokio's that reads, looks for blank lines and writes
//! constant bytes. They have no router, and so no books.

mod programs;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use self::programs::{Program, Programs, start};

use crate::{
    load::{self, Ask, Plan, Protocol, Span},
    plot::Plot,
    process::{Cores, Server, on_core},
    report::{Better, Report, Table},
    rounds::{self, Sample, Series},
    suite::{Options, Suite},
};

/// The suite.
pub(super) const SUITE: Suite = Suite::new(
    "server",
    "Whole servers beside their peers, in CPU time a request",
    run,
)
.peers(&NAMES)
.cases(&CASE_NAMES);

const OURS: &str = "ours";
/// What the ratios are against.
const REFERENCE: &str = "axum";
const METRICS: [&str; 3] = ["CPU us", "requests/s", "p99 us"];

/// A server and what it can do.
struct Peer {
    name: &'static str,
    program: Program,
    speaks: Speaks,
    answers: Answers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Everything,
    /// Books of a store.
    OwnBooks,
    /// No books.
    Hello,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Http1,
    /// HTTP/2 with prior knowledge too, on the same port.
    Both,
}

const PEERS: [Peer; 14] = [
    rust(OURS, "tower", &["ours"], Speaks::Both),
    rust(
        "our router in axum::serve",
        "tower",
        &["router"],
        Speaks::Both,
    ),
    rust(REFERENCE, "tower", &["axum"], Speaks::Both),
    rust("axum, one thread", "tower", &["axum-local"], Speaks::Both),
    umbrella("example server, multi-thread", "multi-thread"),
    umbrella("example server, thread-per-core", "thread-per-core"),
    rust("actix-web", "actix", &["h2c"], Speaks::Both),
    rust("ntex", "ntex", &[], Speaks::Http1),
    rust("xitca-web", "xitca", &[], Speaks::Http1),
    rust("may_minihttp", "may", &[], Speaks::Http1),
    installed("Go net/http", Program::Go),
    installed("nginx", Program::Nginx),
    only_hello(rust("hyper", "tower", &["hyper"], Speaks::Http1)),
    only_hello(rust("floor", "tower", &["floor"], Speaks::Http1)),
];

const NAMES: [&str; PEERS.len()] = {
    let mut names = [""; PEERS.len()];
    let mut index = 0;
    while index < PEERS.len() {
        names[index] = PEERS[index].name;
        index += 1;
    }
    names
};

const fn rust(
    name: &'static str,
    program: &'static str,
    words: &'static [&'static str],
    speaks: Speaks,
) -> Peer {
    Peer {
        name,
        program: Program::Rust(program, words),
        speaks,
        answers: Answers::Everything,
    }
}

const fn installed(name: &'static str, program: Program) -> Peer {
    Peer {
        name,
        program,
        speaks: Speaks::Http1,
        answers: Answers::Everything,
    }
}

const fn umbrella(name: &'static str, run_mode: &'static str) -> Peer {
    Peer {
        name,
        program: Program::Umbrella(run_mode),
        speaks: Speaks::Both,
        answers: Answers::OwnBooks,
    }
}

const fn only_hello(mut peer: Peer) -> Peer {
    peer.answers = Answers::Hello;
    peer
}

impl Peer {
    fn takes(&self, case: &Case) -> bool {
        let speaks = case.protocol == Protocol::Http1 || self.speaks == Speaks::Both;
        speaks && (case.path == HELLO || self.answers != Answers::Hello)
    }

    /// How its answer to this begins.
    fn right_answer(&self, path: &str) -> &'static str {
        match self.answers {
            _ if path == HELLO => "Hello, World!",
            Answers::OwnBooks => "{\"id\":7,",
            _ => "{\"id\":7,\"title\":\"The Rust",
        }
    }

    fn is_umbrella(&self) -> bool {
        matches!(self.program, Program::Umbrella(_))
    }
}

/// What is asked, and how.
struct Case {
    name: &'static str,
    path: &'static str,
    protocol: Protocol,
    connections: usize,
    in_flight: usize,
}

const HELLO: &str = "/hello";
const BOOK: &str = "/api/v1/books/7";

const CASES: [Case; 6] = [
    case("hello-64", HELLO, Protocol::Http1, 64, 1),
    case("hello-400", HELLO, Protocol::Http1, 400, 1),
    case("hello-pipelined", HELLO, Protocol::Http1, 64, 16),
    case("json-64", BOOK, Protocol::Http1, 64, 1),
    case("hello-h2c", HELLO, Protocol::Http2, 8, 32),
    case("json-h2c", BOOK, Protocol::Http2, 8, 32),
];

const CASE_NAMES: [&str; CASES.len()] = {
    let mut names = [""; CASES.len()];
    let mut index = 0;
    while index < CASES.len() {
        names[index] = CASES[index].name;
        index += 1;
    }
    names
};

const fn case(
    name: &'static str,
    path: &'static str,
    protocol: Protocol,
    connections: usize,
    in_flight: usize,
) -> Case {
    Case {
        name,
        path,
        protocol,
        connections,
        in_flight,
    }
}

impl Case {
    fn title(&self) -> String {
        let (protocol, unit) = match self.protocol {
            Protocol::Http1 => ("HTTP/1.1", "under way on each"),
            Protocol::Http2 => ("h2c", "streams on each"),
        };
        format!(
            "{}: GET {} over {protocol}, {} connections, {} {unit}",
            self.name, self.path, self.connections, self.in_flight
        )
    }
}

fn run(options: &Options) -> Result<(), String> {
    let always = [OURS, REFERENCE];
    let wanted = |peer: &&Peer| always.contains(&peer.name) || options.wants_peer(peer.name);
    let peers: Vec<&Peer> = PEERS.iter().filter(wanted).collect();
    let programs = Programs::build(&peers, options)?;
    let mut servers = Vec::new();
    for peer in peers {
        match start(peer, &programs)? {
            Some(server) => servers.push((peer, server)),
            None => println!("{} is left out", peer.name),
        }
    }
    let mut report = Report::new("server");
    report.note(
        "Each server is a process with one worker on one core, the load generator has another. `CPU us` is the \
         server's CPU time for one request, `±%` half the range of the middle half of the rounds, as a share of the median; ratios \
         are of samples of one round. A rate below what the CPU time allows is the load generator's limit, not the server's; \
         `p99` is of a closed loop and only compares servers under the same load.",
    );
    report.note(
        "`floor` is a task of tokio's that reads, looks for blank lines and writes constant bytes; `hyper` is hyper's HTTP/1.1 with \
         one answer to everything. What `floor` takes nobody gets below who answers one request a read, and what `hyper` \
         takes nobody who stands on it, as axum and all of ours do.",
    );
    report.note(
        "The example server runs as it is, with every layer on. Its books come from its store, with an entity tag, and are longer than \
         the others'.",
    );
    for case in CASES.iter().filter(|case| options.wants_case(case.name)) {
        let all = measure(case, &servers, options)?;
        report.series(case.name, &all)?;
        report.table(Table::of_series(
            case.title(),
            "server",
            &METRICS,
            &all,
            REFERENCE,
        ));
        figures(&mut report, case, &all);
        let bar = |series: &Series| (series.name.clone(), series.median("CPU us"));
        let bars = all.iter().map(bar).collect();
        report.plot(
            case.name,
            Plot::bars(case.title(), "CPU us a request", bars),
        );
    }
    report.finish(options)
}

fn figures(report: &mut Report, case: &Case, all: &[Series]) {
    let find = |name: &str| all.iter().find(|series| series.name == name);
    let (Some(ours), Some(axum)) = (find(OURS), find(REFERENCE)) else {
        return;
    };
    let ratio = ours.ratio(axum, "CPU us");
    report.figure(
        format!("{}: CPU a request, of axum's", case.name),
        ratio,
        "x",
        Better::Lower,
    );
}

fn measure(
    case: &Case,
    servers: &[(&Peer, Server)],
    options: &Options,
) -> Result<Vec<Series>, String> {
    let mut subjects = Vec::new();
    for (peer, server) in servers {
        if peer.takes(case) {
            let right = peer.right_answer(case.path);
            let length = verify(server.address, case.path, right)
                .map_err(|e| format!("{}: {e}", peer.name))?;
            subjects.push((peer.name.to_owned(), (server, length)));
        }
    }
    on_core(Cores::split().client, || {
        let rounds = options.pick(2, 9);
        rounds::interleave(
            case.name,
            &mut subjects,
            rounds,
            |_, (server, length), _| {
                let outcome = load::run(&Plan {
                    protocol: case.protocol,
                    connections: case.connections,
                    in_flight: case.in_flight,
                    warm_up: Duration::from_millis(options.pick(50, 100)),
                    span: Span::Time(Duration::from_millis(options.pick(150, 500))),
                    pid: Some(server.pid()),
                    ..Plan::new(server.address, vec![Ask::get(case.path).length(*length)])
                })?
                .checked()?;
                Ok(Sample::new()
                    .with("CPU us", outcome.cpu_micros())
                    .with("requests/s", outcome.rate())
                    .with("p99 us", outcome.latency_micros(0.99)))
            },
        )
    })?
}

/// Asks once and reads the answer; its body's length is what all later answers must have.
fn verify(address: SocketAddr, path: &str, right: &str) -> Result<u64, String> {
    let ask = |e: std::io::Error| format!("asking once: {e}");
    let mut stream = TcpStream::connect(address).map_err(ask)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .map_err(ask)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(ask)?;
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        // Not to the end: may_minihttp keeps the connection whatever it is asked.
        let length = stream.read(&mut piece).map_err(ask)?;
        text.extend_from_slice(&piece[..length]);
        let shown = String::from_utf8_lossy(&text);
        if let Some((head, body)) = shown.split_once("\r\n\r\n") {
            let whole = declared(head).is_none_or(|declared| body.len() as u64 >= declared);
            if whole && head.starts_with("HTTP/1.1 200") && body.starts_with(right) {
                return Ok(declared(head).unwrap_or(body.len() as u64));
            }
        }
        if length == 0 {
            return Err(format!("`{path}` was answered by `{shown}`"));
        }
    }
}

fn declared(head: &str) -> Option<u64> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_body_is_found_whatever_its_case() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 13", Some(13)),
            ("HTTP/1.1 200 OK\r\ncontent-length:7\r\nx: y", Some(7)),
            ("HTTP/1.1 200 OK\r\nx-content-length: 7", None),
        ];
        for (head, want) in cases {
            assert_eq!(declared(head), want, "{head}");
        }
    }
}
