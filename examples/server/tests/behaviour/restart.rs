//! A restart by SIGUSR2, and sockets from systemd: no connection is refused.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::client::Client;
use crate::process::{Server, Successor, program, program_at, signal};
use crate::tls;
use crate::waiting::until_blocking;

/// One request on a connection of its own; panics when it is refused or not answered by 200.
fn get(server: SocketAddr, path: &str) -> Value {
    let mut stream = TcpStream::connect(server).expect("the connection is accepted");
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream
        .write_all(head.as_bytes())
        .expect("the request is sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the answer is read");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// The successor, once the old process has begun to drain.
fn taken_over(server: &mut Server) -> Successor {
    server.signal("USR2");
    let successor = server.successor();
    server.logged("the new process takes over: finishing the requests in flight");
    successor
}

#[test]
fn a_connection_that_was_let_in_before_is_answered_after() {
    let mut server = Server::start(&[]);
    let mut early = TcpStream::connect(server.address).unwrap();
    let ask = |stream: &mut TcpStream| {
        let request = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).unwrap();
    };
    // Which is accepted after that one.
    let mut idle = TcpStream::connect(server.address).unwrap();
    ask(&mut idle);
    idle.read_exact(&mut [0; 12]).unwrap();
    let _successor = taken_over(&mut server);
    // Who has been answered is closed when the drain begins.
    idle.read_to_end(&mut Vec::new()).unwrap();
    ask(&mut early);
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nHello, World!"), "{answer:?}");
    assert_eq!(server.ended().code(), Some(0));
}

#[tokio::test]
async fn a_handshake_that_was_begun_before_is_finished_after() {
    let folder = tempfile::tempdir().unwrap();
    let (root, chain, key) = tls::write_identity(folder.path(), "first");
    let mut server = Server::start(&["--tls-certificate", &chain, "--tls-key", &key]);
    let early = tokio::net::TcpStream::connect(server.tls()).await.unwrap();
    // Which is accepted after that one.
    let later = tls::get(server.tls(), &root, b"http/1.1", "/hello").await;
    later.unwrap();
    let _successor = taken_over(&mut server);
    let mut early = tls::over(early, &root, b"http/1.1").await.unwrap();
    assert_eq!(tls::request(&mut early).await, "Hello, World!");
    drop(early);
    assert_eq!(server.ended().code(), Some(0));
}

fn restarted_under_load(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let mut server = Server::start(&[&["--data", data], arguments].concat());
    let (address, first) = (server.address, server.id());
    let (stop, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, answered) = (stop.clone(), answered.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    get(address, "/api/v1/authors/1");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    server.signal("USR2");
    // Its own last words, then those of the new process, which has the same standard error.
    server.logged("stopped: every request was answered");
    let successor = server.successor();
    assert_ne!(successor.id(), first);
    let since = answered.load(Ordering::Relaxed);
    until_blocking("twenty answers of the new process", || {
        assert!(
            clients.iter().all(|client| !client.is_finished()),
            "a request failed"
        );
        match answered.load(Ordering::Relaxed) - since {
            20.. => Ok(()),
            few => Err(format!("{few}")),
        }
    });
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no request failed");
    }
    assert_eq!(server.wait().code(), Some(0));
    get(address, "/api/v1/authors/1");
}

#[test]
fn no_connection_is_refused_while_the_process_is_replaced() {
    restarted_under_load(&[]);
}

#[test]
fn nor_with_a_socket_for_each_thread() {
    restarted_under_load(&["--run-mode", "thread-per-core", "--threads", "2"]);
}

#[tokio::test]
async fn the_new_process_has_the_old_ones_data() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(&["--data", folder.path().to_str().unwrap()]);
    let made = Client::http1(server.address)
        .post("/api/v1/authors", json!({"name": "Hypatia"}))
        .await
        .json();
    server.signal("USR2");
    server.logged("stopped: every request was answered");
    let _successor = server.successor();
    let path = format!("/api/v1/authors/{}", made["id"]);
    assert_eq!(get(server.address, &path), made);
}

/// A request whose handler waits for the body.
fn in_flight(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
        Content-Type: application/json\r\nContent-Length: 19\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

fn finish(mut stream: TcpStream) {
    stream.write_all(b"{\"name\": \"Hypatia\"}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer:?}");
}

/// Puts settings in place whole, as the server follows the file.
fn put(config: &Path, settings: &str) {
    let written = config.with_extension("new");
    std::fs::write(&written, settings).unwrap();
    std::fs::rename(&written, config).unwrap();
}

#[tokio::test]
async fn a_successor_that_cannot_start_changes_nothing() {
    for (wrong, why) in [
        ("threads = \"none\"\n", "threads"),
        ("body-budget = \"512KiB\"\n", "the pool of bodies"),
        (
            "breaker-baselines = \"/nowhere/baselines.json\"\n",
            "/nowhere/baselines.json",
        ),
        ("tls-listen = \"192.0.2.1:0\"\n", "192.0.2.1:0"),
    ] {
        let good = "tls-listen = \"127.0.0.1:0\"\n";
        for kept in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let config = folder.path().join("server.toml");
            put(&config, good);
            let data = folder.path().join("data");
            let mut arguments = vec!["--config", config.to_str().unwrap()];
            if kept {
                arguments.extend(["--data", data.to_str().unwrap()]);
            }
            let mut command = program(&arguments);
            // The file says it.
            let mut server = Server::run(command.env_remove("SERVER_TLS_LISTEN"));
            put(
                &config,
                &format!(
                    "{}{wrong}",
                    if wrong.starts_with("tls") { "" } else { good }
                ),
            );
            server.signal("USR2");
            let refused = server.logged("error: ");
            assert!(refused.contains(why), "{refused}");
            server.logged("the new process did not start; going on");
            let client = Client::http1(server.address);
            assert_eq!(client.get("/readyz").await.status, 200, "{wrong}");
            put(&config, good);
            server.signal("USR2");
            let successor = server.successor();
            assert_ne!(successor.id(), server.id(), "{wrong}");
            assert_eq!(server.ended().code(), Some(0), "{wrong}");
        }
    }
}

#[test]
fn the_new_process_waits_as_long_as_the_old_one_may_take() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("server.toml");
    put(&config, "drain-timeout = \"1h\"\n");
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let mut server = Server::start(&["--config", config.to_str().unwrap(), "--data", data]);
    let stream = in_flight(&server);
    put(&config, "drain-timeout = \"1ms\"\n");
    server.signal("USR2");
    let waits = server.logged("waiting for the process before");
    assert!(waits.contains("patience=1h"), "{waits}");
    finish(stream);
    let _successor = server.successor();
    assert_eq!(server.ended().code(), Some(0));
    assert_eq!(
        get(server.address, "/api/v1/authors?name=hypatia")["total"],
        1
    );
}

#[test]
fn a_second_restart_is_refused_while_one_is_under_way() {
    // On the file system of the program, where it can have another name.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let copy = folder.path().join("server");
    std::fs::hard_link(env!("CARGO_BIN_EXE_server"), &copy).unwrap();
    let mut server = Server::run(&mut program_at(&copy, &[]));
    // A new build that takes for ever to start.
    let build = folder.path().join("build");
    std::fs::write(&build, "#!/bin/sh\nexec sleep 3600\n").unwrap();
    std::fs::set_permissions(&build, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::rename(&build, &copy).unwrap();
    server.signal("USR2");
    server.logged("restarting: the new process takes over the sockets");
    server.signal("USR2");
    server.logged("not restarting: a new process is starting already");
    get(server.address, "/api/v1/authors/1");

    // Who stops the service means both.
    let stream = in_flight(&server);
    server.signal("TERM");
    server.logged("the new process is stopped, too");
    let ended = server.logged("the new process has ended");
    assert!(ended.contains(" INFO "), "{ended}");
    server.signal("USR2");
    server.logged("not restarting: this process is stopping");
    finish(stream);
    assert_eq!(server.ended().code(), Some(0));
}

/// A server with data that is asked to restart, and its request, which the new process has to wait for.
fn restarting_with_a_request_in_flight() -> (Server, TcpStream, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = Server::start(&["--data", data, "--drain-timeout", "1min"]);
    let stream = in_flight(&server);
    server.signal("USR2");
    (server, stream, folder)
}

#[test]
fn a_second_restart_is_refused_while_the_old_process_drains() {
    let (mut server, stream, _data) = restarting_with_a_request_in_flight();
    server.logged("the new process takes over: finishing the requests in flight");
    server.signal("USR2");
    server.logged("not restarting: this process is stopping");
    finish(stream);
    let successor = server.successor();
    assert_eq!(server.ended().code(), Some(0));
    assert_ne!(successor.id(), server.id());
    get(server.address, "/api/v1/authors/1");
}

#[test]
fn a_new_process_is_not_replaced_while_the_old_one_drains() {
    let mut server = Server::start(&["--drain-timeout", "1min"]);
    let stream = in_flight(&server);
    let second = taken_over(&mut server);
    second.signal("USR2");
    server.logged("not restarting: the process before this one is still finishing its requests");
    get(second.address, "/api/v1/authors/1");
    finish(stream);
    assert_eq!(server.ended().code(), Some(0));

    second.signal("USR2");
    let third = server.successor_of(&second);
    assert_eq!(third.address, server.address);
    get(third.address, "/api/v1/authors/1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_answers_while_the_new_process_waits_for_the_old_one() {
    let (mut server, stream, _data) = restarting_with_a_request_in_flight();
    server.logged("the new process takes over: finishing the requests in flight");
    let admin = Client::http1(server.admin());
    assert_eq!(admin.get("/readyz").await.status, 503);
    assert_eq!(admin.get("/healthz").await.status, 200);
    assert_eq!(admin.get("/metrics").await.status, 200);
    finish(stream);
    let _successor = server.successor();
    assert_eq!(server.ended().code(), Some(0));
    let admin = Client::http1(server.admin());
    assert_eq!(admin.get("/readyz").await.status, 200);
}

#[test]
fn signals_are_heeded_while_the_new_process_waits_for_the_old_one() {
    let (mut server, stream, _data) = restarting_with_a_request_in_flight();
    let waiting = server.awaited_by();
    signal(waiting, "HUP");
    signal(waiting, "USR2");
    server.logged("not restarting: this process does not serve yet");
    finish(stream);
    let successor = server.successor();
    assert_eq!(successor.id(), waiting);
    // It has not forgotten.
    server.logged("reload: no setting has changed");
    assert_eq!(server.ended().code(), Some(0));
    get(server.address, "/api/v1/authors/1");
}

#[test]
fn a_new_process_that_waits_for_the_old_one_can_be_stopped() {
    let (mut server, stream, _data) = restarting_with_a_request_in_flight();
    signal(server.awaited_by(), "TERM");
    server.logged("stopped before it has served");
    let ended = server.logged("the new process has ended, and this one is stopping");
    assert!(ended.contains("exit status: 0"), "{ended}");
    finish(stream);
    assert_eq!(server.ended().code(), Some(0));
    assert_eq!(server.left_behind().len(), 0, "nothing is left behind");
}

#[test]
fn a_changed_address_is_listened_on_by_the_new_process() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("server.toml");
    put(&config, "listen = \"127.0.0.1:0\"\n");
    let mut command = program(&["--config", config.to_str().unwrap()]);
    let mut server = Server::run(command.env_remove("SERVER_LISTEN"));
    put(&config, "listen = \"127.0.0.2:0\"\n");
    server.signal("USR2");
    let successor = server.successor();
    assert_eq!(successor.address.ip().to_string(), "127.0.0.2");
    assert_eq!(server.ended().code(), Some(0));
    get(successor.address, "/api/v1/authors/1");
    assert!(
        TcpStream::connect(server.address).is_err(),
        "nobody listens where nobody is to"
    );
}
