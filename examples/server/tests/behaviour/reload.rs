//! Settings that change while the server runs: how they get there, what is refused, and that no request is lost.

#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use serde_json::json;

use crate::client::Client;
use crate::process::{Server, output, program};

/// A server with a file of settings.
pub(crate) struct Reloadable {
    pub(crate) server: Server,
    file: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Reloadable {
    pub(crate) fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.toml");
        std::fs::write(&file, settings).unwrap();
        let server = Server::start(&["--config", file.to_str().unwrap()]);
        Reloadable {
            server,
            file,
            _folder: folder,
        }
    }

    /// Puts other settings in place and waits until they are in force. Whole, by a rename: who watches the file would
    /// take one that is only begun for settings, too, and say so.
    pub(crate) fn reload(&self, settings: &str) {
        self.put(settings);
        self.server.signal("HUP");
        self.server.logged("settings in force");
    }

    /// Puts settings in place that are not taken, and returns the line that says why.
    pub(crate) fn refused(&self, settings: &str) -> String {
        self.put(settings);
        self.server.signal("HUP");
        // By SIGHUP, or before that by who watches the file.
        self.server.logged(" refused")
    }

    fn put(&self, settings: &str) {
        let written = self.file.with_extension("new");
        std::fs::write(&written, settings).unwrap();
        std::fs::rename(&written, &self.file).unwrap();
    }

    pub(crate) fn client(&self) -> Client {
        Client::http1(self.server.address)
    }

    /// What a client reads that sends this and nothing more.
    pub(crate) fn exchange(&self, sent: &str) -> String {
        let mut stream = TcpStream::connect(self.server.address).unwrap();
        let mut answer = String::new();
        let sent = stream.write_all(sent.as_bytes());
        match sent.and_then(|()| stream.read_to_string(&mut answer)) {
            Ok(_) => answer,
            Err(error) => format!("{answer}{error}"),
        }
    }
}

#[test]
fn what_the_next_start_would_refuse_is_refused_now() {
    let server = Reloadable::start("");
    // In force at the next start only, when it would be too late: the smallest pool is larger.
    let refused = server.refused("body-budget = \"512KiB\"\n");
    assert!(refused.contains("the pool of bodies"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_wrong_changes_nothing() {
    let server = Reloadable::start("body-limit = \"1KiB\"\n");
    let client = server.client();
    for (settings, why) in [
        (
            "body-limit = \"huge\"\n",
            "server.toml:1: body-limit: \"huge\" is not a size",
        ),
        ("body-limit =", "server.toml:1: not TOML"),
        ("site = \"/no/such/folder\"\n", "is not a folder"),
        ("no-such = 1\n", "no such setting"),
    ] {
        server.put(settings);
        server.server.signal("HUP");
        let line = server.server.logged("reload refused");
        assert!(line.contains(why), "{settings}: {line}");
        let large = json!({"name": "x".repeat(2_000)});
        client.post("/api/v1/authors", large).await.problem(413);
    }
    std::fs::remove_file(&server.file).unwrap();
    server.server.signal("HUP");
    server.server.logged("cannot read");
    assert_eq!(client.get("/healthz").await.status, 200);
    server.put("body-limit = \"1KiB\"\n");
    server.server.signal("HUP");
    server.server.logged("no setting has changed");
}

#[tokio::test]
async fn what_waits_for_a_restart_is_named() {
    let server = Reloadable::start("");
    server.put("threads = 7\nbody-limit = \"1KiB\"\n");
    server.server.signal("HUP");
    let line = server.server.logged("settings in force");
    assert!(
        line.contains("some take effect at the next start: threads"),
        "{line}"
    );
}

#[tokio::test]
async fn the_admin_port_reloads_for_those_who_bear_the_token() {
    let server = Reloadable::start("admin-token = \"opensesame\"\n");
    assert!(
        !server.server.banner.contains("opensesame"),
        "{}",
        server.server.banner
    );
    server.put("admin-token = \"opensesame\"\nbody-limit = \"1KiB\"\n");
    let admin = Client::http1(server.server.admin());
    for wrong in ["", "Bearer wrong", "Bearer opensesam", "opensesame"] {
        let refused = admin
            .send(Method::POST, "/reload", &[("authorization", wrong)], None)
            .await;
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        refused.problem(401);
    }
    let bearer = [("authorization", "Bearer opensesame")];
    let done = admin.send(Method::POST, "/reload", &bearer, None).await;
    // Unless the file's own watch has been quicker.
    let published = &done.json()["published"];
    let version = published.as_str().unwrap_or("v1.0.1+sha256.");
    assert!(version.starts_with("v1.0.1+sha256."), "{}", done.body);
    let large = json!({"name": "x".repeat(2_000)});
    server
        .client()
        .post("/api/v1/authors", large)
        .await
        .problem(413);
    let again = admin
        .send(Method::POST, "/reload", &bearer, None)
        .await
        .json();
    assert!(again["published"].is_null(), "{again}");
}

#[tokio::test]
async fn the_file_is_watched() {
    let server = Reloadable::start("");
    let client = server.client();
    let large = json!({"name": "x".repeat(2_000)});
    // In place, and by rename.
    std::fs::write(&server.file, "body-limit = \"1KiB\"\n").unwrap();
    server.server.logged("settings in force");
    client
        .post("/api/v1/authors", large.clone())
        .await
        .problem(413);
    let beside = server.file.with_extension("new");
    std::fs::write(&beside, "body-limit = \"8KiB\"\n").unwrap();
    std::fs::rename(&beside, &server.file).unwrap();
    server.server.logged("settings in force");
    client
        .post("/api/v1/authors", large.clone())
        .await
        .problem(422);
    std::fs::write(&server.file, "body-limit = \"huge\"\n").unwrap();
    let line = server.server.logged("settings refused");
    assert!(line.contains("is not a size in bytes"), "{line}");
    client.post("/api/v1/authors", large).await.problem(422);
}

#[test]
fn no_request_is_lost_to_reloads() {
    let server = Reloadable::start("");
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (stop, address) = (stop.clone(), server.server.address);
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let mut answered = 0;
                while !stop.load(Ordering::Relaxed) {
                    stream
                        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                        .unwrap();
                    let mut answer = Vec::new();
                    while !answer.ends_with(b"Hello, World!") {
                        let mut byte = [0];
                        stream
                            .read_exact(&mut byte)
                            .expect("the connection stays open");
                        answer.extend(byte);
                    }
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for round in 0..20 {
        server.reload(&format!("body-limit = \"{}KiB\"\n", round + 1));
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.join().expect("every request was answered") > 0);
    }
}

#[test]
fn every_setting_that_reloads_is_marked_in_the_help_and_in_the_file() {
    let help = String::from_utf8(output(&mut program(&["--help"])).stdout).unwrap();
    let file = include_str!("../../server.toml");
    let mut marked = 0;
    for line in file.lines().filter(|line| line.contains(" = ")) {
        let key = line.split(' ').next().unwrap();
        let variable = format!("[env: SERVER_{}]", key.replace('-', "_").to_uppercase());
        let in_help = help.lines().find(|line| line.contains(&variable)).unwrap();
        let is_marked = line.contains("# *");
        assert_eq!(in_help.contains("[reloads]"), is_marked, "{key}: {in_help}");
        marked += usize::from(is_marked);
    }
    assert!(marked >= 20, "{marked}");
}
