//! What systemd sees of the server: the sockets that it hands over, and what it is told.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Server, program};

/// A server that is started as systemd starts a service with a socket of this name: its descriptor is 3.
fn activated(name: &str, socket: &TcpListener) -> Server {
    let mut command = Command::new("sh");
    let hand_over = "LISTEN_PID=$$ exec \"$0\" 3<&0 0</dev/null";
    command.args(["-c", hand_over, env!("CARGO_BIN_EXE_server")]);
    command.env_clear();
    for (key, value) in [
        ("SERVER_TLS_LISTEN", "127.0.0.1:0"),
        ("SERVER_ADMIN_LISTEN", "127.0.0.1:0"),
        ("LISTEN_FDS", "1"),
        ("LISTEN_FDNAMES", name),
    ] {
        command.env(key, value);
    }
    let socket = OwnedFd::from(socket.try_clone().unwrap());
    Server::run(command.stdin(Stdio::from(socket)))
}

fn ask(socket: &TcpListener) -> TcpStream {
    let mut stream = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    let request = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn connections_wait_in_systemds_socket_while_the_service_is_restarted() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = activated("http", &socket);
    assert_eq!(server.address, socket.local_addr().unwrap());
    assert!(answer(ask(&socket)).ends_with("Hello, World!"));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    // Nobody serves; nobody is refused.
    let waiting = ask(&socket);
    let _server = activated("http", &socket);
    assert!(answer(waiting).ends_with("Hello, World!"));
}

#[test]
fn a_socket_of_another_name_is_refused() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new("sh");
    let hand_over = "LISTEN_PID=$$ exec \"$0\" 3<&0 0</dev/null";
    command.args(["-c", hand_over, env!("CARGO_BIN_EXE_server")]);
    command.env_clear().env("LISTEN_FDS", "1");
    command.env("LISTEN_FDNAMES", "smtp");
    let refused = command
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .output()
        .unwrap();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(
        text.contains("the names are http, https and admin"),
        "{text}"
    );
}

/// What is sent to `NOTIFY_SOCKET`, a message at a time.
fn notified(path: &Path) -> impl Fn() -> String {
    let socket = UnixDatagram::bind(path).unwrap();
    move || {
        let mut text = [0; 256];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    }
}

#[test]
fn systemd_is_told_of_start_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let told = notified(&path);
    let server = Server::run(program(&[]).env("NOTIFY_SOCKET", &path));
    let ready = format!("MAINPID={}\nREADY=1\n", server.id());
    assert_eq!(told(), ready);
    server.signal("HUP");
    let reloading = told();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(told(), "READY=1\n");
    server.signal("TERM");
    assert_eq!(told(), "STOPPING=1\n");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn systemd_follows_the_new_process_before_the_old_one_ends() {
    for kept in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let told = notified(&path);
        let data = folder.path().join("data");
        let mut arguments = vec!["--drain-timeout", "1min"];
        if kept {
            arguments.extend(["--data", data.to_str().unwrap()]);
        }
        let mut server = Server::run(program(&arguments).env("NOTIFY_SOCKET", &path));
        assert_eq!(told(), format!("MAINPID={}\nREADY=1\n", server.id()));
        // It keeps the old process until the new one has spoken.
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream
            .write_all(
                b"POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length: 19\r\n\
                Expect: 100-continue\r\n\r\n",
            )
            .unwrap();
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).unwrap();
        server.signal("USR2");
        let follows = told();
        stream.write_all(b"{\"name\": \"Hypatia\"}").unwrap();
        assert!(answer(stream).starts_with("HTTP/1.1 201 "), "kept: {kept}");
        let successor = server.successor();
        assert_eq!(
            follows,
            format!("MAINPID={}\nREADY=1\n", successor.id()),
            "kept: {kept}"
        );
        assert_ne!(successor.id(), server.id());
        assert_eq!(server.ended().code(), Some(0), "kept: {kept}");
        if kept {
            // Now it has the shop, too.
            assert_eq!(told(), follows);
        }
        // The old one ended without a word, or it would be the service that stops.
        successor.signal("TERM");
        assert_eq!(told(), "STOPPING=1\n", "kept: {kept}");
        server.logged("stopped: every request was answered");
    }
}
