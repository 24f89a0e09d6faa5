//! The admin port: dashboard, figures, metrics, and that it is a port of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
#[cfg(unix)]
use socket2::{Domain, Socket, Type};

use crate::client::Client;
use crate::process::{Server, output, program};
use crate::waiting::PATIENCE;

/// Reads server-sent events of `path` until `wanted` finds what it wants in one's name and data.
pub(crate) fn event<T>(
    server: SocketAddr,
    path: &str,
    mut wanted: impl FnMut(&str, Value) -> Option<T>,
) -> T {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let begun = Instant::now();
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut name = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        assert!(begun.elapsed() < PATIENCE, "not what is wanted, but {line}");
        if let Some(event) = line.strip_prefix("event: ") {
            name = event.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
            if let Some(found) = wanted(&name, data) {
                return found;
            }
        }
    }
    panic!("the events of {path} ended");
}

#[tokio::test]
async fn the_dashboard_is_whole_without_the_outside() {
    let server = Server::start(&[]);
    let admin = Client::http1(server.admin());
    let page = admin.get("/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    for (path, kind) in [
        ("/dashboard.css", "text/css; charset=utf-8"),
        ("/dashboard.js", "text/javascript; charset=utf-8"),
    ] {
        assert!(page.body.contains(path), "{path} is not in the page");
        let part = admin.get(path).await;
        assert_eq!(part.header("content-type"), kind);
        for foreign in ["http://", "https://", "import "] {
            assert!(!part.body.contains(foreign), "{path} has {foreign}");
        }
    }
    assert!(!page.body.contains("https://"), "{}", page.body);
}

#[test]
fn figures_follow_what_happens() {
    let server = Server::start(&[]);
    let before = event(server.admin(), "/figures", |name, data| {
        (name == "now").then_some(data)
    });
    assert_eq!(before["routes"], serde_json::json!([]), "{before}");
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .write_all(b"GET /hello/ada HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    let route = event(server.admin(), "/figures", |name, data| {
        let route = data["routes"].get(0)?.clone();
        (name == "now").then_some(route)
    });
    assert_eq!(
        (&route["route"], &route["total"]),
        (&"/hello/{name}".into(), &1.into()),
        "{route}"
    );
    assert!(route["p99"].as_f64().unwrap() > 0.0, "{route}");
}

#[tokio::test]
async fn metrics_are_in_the_text_format_and_count() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    for _ in 0..3 {
        client.get("/api/v1/books/1").await;
    }
    client.get("/nowhere").await;
    let metrics = Client::http1(server.admin()).get("/metrics").await;
    assert_eq!(
        metrics.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for line in [
        "server_requests_total{route=\"/api/v1/books/{id:u64}\",status=\"2xx\"} 3",
        "server_requests_total{route=\"unmatched\",status=\"4xx\"} 1",
        "server_request_duration_seconds_count{route=\"/api/v1/books/{id:u64}\"} 3",
        "server_request_duration_seconds_bucket{route=\"unmatched\",le=\"+Inf\"} 1",
        "server_connections_accepted_total{port=\"http\"} 1",
    ] {
        assert!(
            metrics.body.contains(line),
            "no {line} in\n{}",
            metrics.body
        );
    }
    for line in metrics
        .body
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (_, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        value
            .parse::<f64>()
            .unwrap_or_else(|error| panic!("{error}: {line:?}"));
    }
}

#[tokio::test]
async fn the_admin_port_serves_no_shop_and_the_shop_no_admin() {
    let server = Server::start(&[]);
    for path in ["/metrics", "/figures", "/dashboard.js"] {
        assert_eq!(
            Client::http1(server.address).get(path).await.status,
            404,
            "{path}"
        );
    }
    let admin = Client::http1(server.admin());
    let nothing = admin.get("/api/v1/books").await.problem(404);
    assert_eq!(nothing, "nothing is served at this path of the admin port");
    let wrong = admin
        .send(http::Method::DELETE, "/metrics", &[], None)
        .await;
    wrong.problem(405);
    assert_eq!(admin.get("/healthz").await.status, 200);
    assert_eq!(admin.get("/readyz").await.json()["status"], "ready");
}

/// What `--check-health` says of a server whose admin port is said to be there.
fn health(admin: &str) -> (Option<i32>, String) {
    said(program(&["--check-health"]).env("SERVER_ADMIN_LISTEN", admin))
}

fn said(command: &mut Command) -> (Option<i32>, String) {
    let asked = output(command);
    let said = [asked.stdout, asked.stderr].concat();
    (asked.status.code(), String::from_utf8(said).unwrap())
}

#[cfg(unix)]
#[test]
fn the_program_asks_whether_another_is_healthy() {
    // Bound from the beginning to the end, so that nobody else gets the port when the server is gone.
    let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    held.set_reuse_address(true).unwrap();
    held.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let free = held.local_addr().unwrap().as_socket().unwrap();
    let mut server = Server::start(&["--admin-listen", &free.to_string()]);
    let admin = server.admin();
    assert_eq!(
        health(&admin.to_string()),
        (Some(0), format!("{admin}: healthy\n"))
    );
    // An image listens on every address; what it is asked on is this machine's own.
    let everywhere = format!("0.0.0.0:{}", admin.port());
    assert_eq!(health(&everywhere), health(&admin.to_string()));
    // Not the admin port: no `/healthz` is there for who speaks no TLS.
    let (code, said) = health(&server.tls().to_string());
    assert_eq!(code, Some(1), "{said}");
    server.kill();
    let (code, said) = health(&admin.to_string());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with(&format!("error: {admin}: ")), "{said}");
    for unknown in ["off", "127.0.0.1:0"] {
        let (code, said) = health(unknown);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.starts_with("error: no admin port to ask"), "{said}");
    }
    let (code, said) = health("here");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("error: SERVER_ADMIN_LISTEN: "), "{said}");
}

#[test]
fn a_server_is_healthy_though_its_settings_have_become_bad() {
    let server = Server::start(&[]);
    let admin = server.admin();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    let healthy = (Some(0), format!("{admin}: healthy\n"));
    let listen = format!("admin-listen = \"{admin}\"\n");
    for wrong in [
        "",
        "threads = \"many\"\n",
        "no-such = 1\n",
        "= 1\n",
        "listen = [\n",
    ] {
        std::fs::write(&path, format!("{listen}{wrong}")).unwrap();
        let mut asked = program(&["--check-health"]);
        asked.env_remove("SERVER_ADMIN_LISTEN");
        asked.env("SERVER_CONFIG", &path);
        assert_eq!(said(&mut asked), healthy, "{wrong:?}");
    }
    // Without the file there is the environment.
    let mut asked = program(&["--check-health", "--config", "/no/such/file"]);
    asked.env("SERVER_ADMIN_LISTEN", admin.to_string());
    assert_eq!(said(&mut asked), healthy);
    // And what is asked for from a URL is not asked for.
    let mut asked = program(&["--check-health", "--config-url", "ftp://settings/"]);
    asked.env("SERVER_ADMIN_LISTEN", admin.to_string());
    assert_eq!(said(&mut asked), healthy);
}
