//! A signal ends the server after the requests in flight, and not later than the drain timeout.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::client::Client;
use crate::process::{Server, closed, program};
#[cfg(target_os = "linux")]
use crate::waiting::until_blocking;

const BODY: &str = "{\"name\": \"Mary Somerville\"}";

/// A request whose handler is running: it has asked for the body, which has not been sent.
fn in_flight(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        BODY.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn a_request_in_flight_is_finished() {
    for signal in ["TERM", "INT"] {
        let server = Server::start(&["--drain-timeout", "1min"]);
        let address = server.address;
        let mut stream = in_flight(&server);
        server.signal(signal);
        server.logged("stopping: finishing the requests in flight");

        stream.write_all(BODY.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 201 Created\r\n"),
            "SIG{signal}: {answer}"
        );
        assert!(answer.contains("Mary Somerville"), "SIG{signal}: {answer}");

        server.logged("stopped: every request was answered");
        assert_eq!(server.wait().code(), Some(0), "SIG{signal}");
        assert!(
            TcpStream::connect(address).is_err(),
            "SIG{signal}: the port is closed"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ports_are_closed_while_requests_in_flight_are_finished() {
    for mode in ["multi-thread", "thread-per-core"] {
        let arguments = ["--run-mode", mode, "--threads", "2"];
        let patience = ["--drain-timeout", "20s", "--request-timeout", "1min"];
        let server = Server::start(&[arguments, patience].concat());
        let (public, admin) = ([server.address, server.tls()], server.admin());
        let mut stream = in_flight(&server);
        server.signal("TERM");
        server.logged("stopping: finishing the requests in flight");
        public.into_iter().for_each(closed);
        let balancer = Client::http1(admin);
        assert_eq!(balancer.get("/readyz").await.status, 503, "{mode}");
        assert_eq!(balancer.get("/healthz").await.status, 200, "{mode}");
        assert_eq!(balancer.get("/metrics").await.status, 200, "{mode}");

        stream.write_all(BODY.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 201 Created\r\n"),
            "{mode}: {answer}"
        );
        assert_eq!(server.wait().code(), Some(0), "{mode}");
        assert!(TcpStream::connect(admin).is_err(), "{mode}: it is over");
    }
}

/// Waits until every thread of a process stands still.
#[cfg(target_os = "linux")]
fn stopped(process: u32) {
    let is_stopped = |thread: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("stat"));
        // A thread that has ended meanwhile does nothing either.
        stat.is_ok_and(|stat| stat.rsplit_once(") ").unwrap().1.starts_with('T'))
    };
    let threads = format!("/proc/{process}/task");
    until_blocking("a process that stands still", || {
        let mut threads = std::fs::read_dir(&threads).unwrap();
        match threads.all(is_stopped) {
            true => Ok(()),
            false => Err(format!("{process} runs")),
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn who_has_connected_before_it_is_answered() {
    for mode in ["multi-thread", "thread-per-core"] {
        let server = Server::start(&["--run-mode", mode, "--threads", "2"]);
        // So that the kernel has them in its queue when the signal comes.
        server.signal("STOP");
        stopped(server.id());
        let clients: Vec<_> = (0..16)
            .map(|_| {
                let mut stream = TcpStream::connect(server.address).unwrap();
                stream
                    .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                    .unwrap();
                stream
            })
            .collect();
        server.signal("TERM");
        server.signal("CONT");
        for mut stream in clients {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("Hello, World!"), "{mode}: {answer:?}");
        }
        assert_eq!(server.wait().code(), Some(0), "{mode}");
    }
}

#[test]
fn an_idle_connection_does_not_hold_the_server() {
    let server = Server::start(&["--drain-timeout", "1min"]);
    let mut idle = TcpStream::connect(server.address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let silent = TcpStream::connect(server.address).unwrap();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    drop(silent);
}

#[test]
fn the_drain_timeout_cuts_off_what_does_not_finish() {
    let server = Server::start(&["--drain-timeout", "50ms", "--request-timeout", "1min"]);
    let mut stream = in_flight(&server);
    server.signal("TERM");
    let line = server.logged("the drain timeout cut connections off");
    assert!(line.contains("connections=1"), "{line}");
    assert_eq!(server.wait().code(), Some(1));
    let mut answer = Vec::new();
    // A reset is as good an end as a close.
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(answer, b"", "nothing was answered");
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut server = Server::start(&["--drain-timeout", "1h", "--request-timeout", "1h"]);
    assert_ne!(server.left_behind().len(), 0, "the site is there");
    let stream = in_flight(&server);
    server.signal("TERM");
    server.logged("stopping: finishing the requests in flight");
    server.signal("INT");
    server.logged("stopping at once");
    assert_eq!(server.ended().code(), Some(1));
    assert_eq!(server.left_behind().len(), 0, "nothing is left behind");
    drop(stream);
}

/// Killed when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // After a test that has passed there is nothing left to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_last_lines_of_the_access_log_are_written() {
    // Without a log besides, since who writes that waits for who writes this.
    let mut command = program(&["--access-log", "common", "--log", "error"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Running(child.spawn().unwrap());
    let mut banner = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let address = banner.find_map(|line| {
        let address = line.unwrap();
        let address = address.strip_prefix("listening on ")?.split(',').next();
        address.map(str::to_owned)
    });
    let mut client = BufReader::new(TcpStream::connect(address.unwrap()).unwrap());
    // More than fits into the pipe, which nobody reads meanwhile, and less than the queue takes.
    let (rounds, each) = (24, 50);
    for _ in 0..rounds {
        let requests = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n".repeat(each);
        client.get_mut().write_all(requests.as_bytes()).unwrap();
        let mut read = Vec::new();
        for _ in 0..each {
            client.read_until(b'!', &mut read).unwrap();
        }
        assert!(read.ends_with(b"Hello, World!"));
    }
    let killed = Command::new("kill")
        .args(["-s", "TERM", &server.0.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let mut log = String::new();
    let mut stderr = server.0.stderr.take().unwrap();
    stderr.read_to_string(&mut log).unwrap();
    let lines = log.matches("\"GET /hello HTTP/1.1\" 200 13\n").count();
    assert_eq!(lines, rounds * each);
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}
