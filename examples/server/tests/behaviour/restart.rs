//! A restart by SIGUSR2, and sockets from systemd: no connection is refused.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::client::Client;
use crate::process::Server;

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
    while answered.load(Ordering::Relaxed) < since + 20 {
        assert!(
            clients.iter().all(|client| !client.is_finished()),
            "a request failed"
        );
        std::thread::yield_now();
    }
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

#[tokio::test]
async fn a_successor_that_cannot_start_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("server.toml");
    std::fs::write(&config, "threads = 2\n").unwrap();
    let server = Server::start(&["--config", config.to_str().unwrap()]);
    std::fs::write(&config, "threads = \"none\"\n").unwrap();
    server.signal("USR2");
    server.logged("the new process did not start; going on");
    assert_eq!(
        Client::http1(server.address).get("/healthz").await.status,
        200
    );
}
