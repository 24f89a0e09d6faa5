//! Both ways to spread work over the cores serve alike.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;

use crate::client::Client;
#[cfg(target_os = "linux")]
use crate::process::closed;
use crate::process::{Server, output, program};

// The clients answer the pings of the drain while the test waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_a_core_serves_and_drains() {
    let arguments = ["--run-mode", "thread-per-core", "--threads", "3"];
    let server = Server::start(&arguments);
    for _ in 0..20 {
        // A connection each, so that every thread's socket has a chance.
        let client = Client::http1(server.address);
        assert_eq!(
            client.get("/api/v1/books/1").await.json()["title"],
            "Frankenstein"
        );
        let client = Client::http2(server.address);
        assert_eq!(client.get("/hello").await.body, "Hello, World!");
    }
    #[cfg(unix)]
    {
        server.signal("TERM");
        let line = server.logged("stopped: every request was answered");
        assert!(line.contains("requests=40"), "{line}");
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn two_servers_do_not_share_a_port_by_mistake() {
    let arguments = ["--run-mode", "thread-per-core", "--threads", "2"];
    let first = Server::start(&arguments);
    let address = first.address.to_string();
    let second = output(program(&arguments).env("SERVER_LISTEN", &address));
    let text = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&format!("cannot listen on {address}")),
        "{text}"
    );
}

/// The descriptor by which the server watches its end of a connection: another one for each of its threads.
#[cfg(target_os = "linux")]
fn watched_by(server: &Server, client: &TcpStream) -> u32 {
    let end = |port: u16| format!(":{port:04X}");
    let here = end(client.local_addr().unwrap().port());
    let there = end(client.peer_addr().unwrap().port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let inode = table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_it = fields[1].ends_with(&there) && fields[2].ends_with(&here);
        is_it.then(|| fields[9].to_owned())
    });
    let socket = format!("socket:[{}]", inode.expect("the connection is there"));
    let process = format!("/proc/{}", server.id());
    let open: BTreeMap<u32, String> = std::fs::read_dir(format!("{process}/fd"))
        .unwrap()
        .filter_map(|entry| {
            // Others come and go meanwhile.
            let path = entry.unwrap().path();
            let what = std::fs::read_link(&path).ok()?;
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, what.to_str()?.to_owned()))
        })
        .collect();
    let watches = |descriptor: u32| {
        let info = std::fs::read_to_string(format!("{process}/fdinfo/{descriptor}"));
        info.unwrap_or_default().lines().any(|line| {
            let mut words = line.split_whitespace();
            let watched = words.nth(1).and_then(|number| number.parse().ok());
            line.starts_with("tfd:")
                && watched.and_then(|number| open.get(&number)) == Some(&socket)
        })
    };
    let mut pollers = open
        .iter()
        .filter(|(_, what)| what.contains("eventpoll"))
        .map(|(number, _)| *number);
    pollers
        .find(|number| watches(*number))
        .expect("it is watched")
}

/// Sends a request and reads until the answer has this in it.
#[cfg(target_os = "linux")]
fn ask(client: &mut TcpStream, path: &str, until: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.contains(until) {
        let mut bytes = [0; 4096];
        let length = client.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "{answer}");
        answer.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_proxied_response_outlives_the_work_of_the_thread_that_connected() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap().to_string();
    let server = Server::start(&[
        "--run-mode",
        "thread-per-core",
        "--threads",
        "2",
        "--drain-timeout",
        "1min",
        "--proxy-upstream",
        &address,
    ]);
    let (go_on, wait) = channel();
    let upstream = std::thread::spawn(move || {
        let (stream, _) = upstream.accept().unwrap();
        // One connection for both: there is no other.
        drop(upstream);
        let mut reader = BufReader::new(stream);
        for answer in [
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        ] {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
            }
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
        wait.recv().unwrap();
        // It may have been closed, which the test sees at the other end.
        let _ = reader.get_mut().write_all(b"4\r\nlast\r\n0\r\n\r\n");
    });
    let connect = || {
        let mut client = TcpStream::connect(server.address).unwrap();
        ask(&mut client, "/hello", "Hello, World!");
        let thread = watched_by(&server, &client);
        (client, thread)
    };
    let (mut maker, first) = connect();
    let mut others = (0..64).map(|_| connect());
    let user = others.find(|(_, thread)| *thread != first);
    let (mut user, _) = user.expect("one of many falls to the other thread");
    ask(&mut maker, "/proxy/short", "204 No Content");
    ask(&mut user, "/proxy/long", "first");

    server.signal("TERM");
    let mut rest = String::new();
    maker.read_to_string(&mut rest).unwrap();
    closed(server.address);
    go_on.send(()).unwrap();
    user.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("last\r\n0\r\n\r\n"), "{rest:?}");
    assert_eq!(server.wait().code(), Some(0));
    upstream.join().unwrap();
}
