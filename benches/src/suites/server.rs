//! Whole servers: ours, axum as it comes, and the frameworks and servers beside them, in CPU time a request.
//!
//! The same work for everyone: `GET /hello` with 13 bytes of text, and `GET /api/v1/books/{id}` with a book as JSON, made
//! from the number in the path. Every server is a process with one worker on one core; the load has another core. The
//! Rust ones are programs of `benches/peers`, a package of its own so that nobody else compiles actix-web and the
//! like, with one profile (whole-program optimization) and one allocator (mimalloc) for all. nginx answers from its configuration, and
//! may_minihttp parses almost nothing: both do less than the rest.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    load::{self, Ask, Plan, Protocol, Span},
    plot::Plot,
    process::{Cores, Server, free_address, in_turn, on_core},
    report::{Better, Report, Table},
    rounds::{self, Sample, Series},
    suite::{Options, Suite},
    tools,
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
}

enum Program {
    /// A program of `benches/peers` with these words after the address.
    Rust(&'static str, &'static [&'static str]),
    Go,
    Nginx,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Http1,
    /// HTTP/2 with prior knowledge too, on the same port.
    Both,
}

const PEERS: [Peer; 10] = [
    rust(OURS, "tower", &["ours"], Speaks::Both),
    rust(
        "our router in axum::serve",
        "tower",
        &["router"],
        Speaks::Both,
    ),
    rust(REFERENCE, "tower", &["axum"], Speaks::Both),
    rust("axum, one thread", "tower", &["axum-local"], Speaks::Both),
    rust("actix-web", "actix", &["h2c"], Speaks::Both),
    rust("ntex", "ntex", &[], Speaks::Http1),
    rust("xitca-web", "xitca", &[], Speaks::Http1),
    rust("may_minihttp", "may", &[], Speaks::Http1),
    Peer {
        name: "Go net/http",
        program: Program::Go,
        speaks: Speaks::Http1,
    },
    Peer {
        name: "nginx",
        program: Program::Nginx,
        speaks: Speaks::Http1,
    },
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
    let programs = build(options)?;
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
        if case.protocol == Protocol::Http1 || peer.speaks == Speaks::Both {
            let length =
                verify(server.address, case.path).map_err(|e| format!("{}: {e}", peer.name))?;
            subjects.push((peer.name.to_owned(), (server, length)));
        }
    }
    on_core(Cores::split().client, || {
        let rounds = options.pick(3, 9);
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
                    span: Span::Time(Duration::from_millis(options.pick(200, 500))),
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
fn verify(address: SocketAddr, path: &str) -> Result<u64, String> {
    let ask = |e: std::io::Error| format!("asking once: {e}");
    let mut stream = TcpStream::connect(address).map_err(ask)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .map_err(ask)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(ask)?;
    let right = if path == HELLO {
        "Hello, World!"
    } else {
        "{\"id\":7,\"title\":\"The Rust"
    };
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

/// Compiles the programs of `benches/peers` and says where they are.
fn build(options: &Options) -> Result<PathBuf, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let target = package.join("../../target/peers");
    println!("compiling the peers; the first time this takes minutes");
    let mut cargo = if options.priority {
        in_turn("cargo")
    } else {
        Command::new("cargo")
    };
    let status = cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
        ])
        .arg(package.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    if status.success() {
        Ok(target.join("release"))
    } else {
        Err("the peers do not compile".into())
    }
}

fn start(peer: &Peer, programs: &Path) -> Result<Option<Server>, String> {
    let address = free_address()?;
    let command = match peer.program {
        Program::Rust(program, words) => {
            let mut command = Command::new(programs.join(program));
            command.arg(address.to_string()).args(words);
            command
        }
        Program::Go => {
            let Some(go) = tools::find("go") else {
                return Ok(None);
            };
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/go/main.go");
            let program = programs.join("go-net-http");
            let built = Command::new(go)
                .args(["build", "-o"])
                .args([&program, &source])
                .status();
            if !built.is_ok_and(|status| status.success()) {
                tools::missing(
                    peer.name,
                    "its program does not compile (Go 1.22 or newer is needed)",
                );
                return Ok(None);
            }
            let mut command = Command::new(program);
            command.arg(address.to_string());
            command
        }
        Program::Nginx => {
            let Some(nginx) = tools::find("nginx") else {
                return Ok(None);
            };
            let mut command = Command::new(nginx);
            command
                .arg("-c")
                .arg(nginx_configuration(programs, address)?);
            command
        }
    };
    match Server::program(peer.name, command, address) {
        Ok(server) => Ok(Some(server)),
        Err(error) => {
            tools::missing(peer.name, &error);
            Ok(None)
        }
    }
}

fn nginx_configuration(dir: &Path, address: SocketAddr) -> Result<PathBuf, String> {
    let file = dir.join("nginx.conf");
    let pid = dir.join("nginx.pid");
    let text = format!(
        "daemon off; worker_processes 1; pid {}; error_log stderr crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 1000000000;\n\
         server {{ listen {address};\n\
         location = {HELLO} {{ default_type \"text/plain; charset=utf-8\"; return 200 \"Hello, World!\"; }}\n\
         location ~ ^/api/v1/books/(?<id>[0-9]+)$ {{ default_type application/json;\n\
         return 200 '{{\"id\":$id,\"title\":\"The Rust Programming Language\",\"author\":\"Steve Klabnik and Carol Nichols\",\"cents\":3995}}'; }} }} }}\n",
        pid.display()
    );
    fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    fs::canonicalize(&file).map_err(|e| format!("{}: {e}", file.display()))
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
