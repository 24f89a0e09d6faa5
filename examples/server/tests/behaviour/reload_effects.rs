//! Every setting that reloads does what it says once it was reloaded: a test for each, by its name.

#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;

use http::Method;
use serde_json::{Value, json};

use crate::admin::event;
use crate::client::Client;
use crate::process::Server;
use crate::reload::Reloadable;
use crate::{raw_http2, tls};

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// The figures of the dashboard, as they are taken next.
fn figures(server: &Server) -> Value {
    event(server.admin(), "/figures", |name, data| {
        (name == "now").then_some(data)
    })
}

/// The sum of a metric over those of its rows that have `label`.
async fn metric(server: &Server, name: &str, label: &str) -> f64 {
    let text = Client::http1(server.admin()).get("/metrics").await.body;
    let rows = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
    });
    let values = rows.map(|row| {
        let (_, value) = row.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap()
    });
    values.sum()
}

/// What is known of a route.
fn route<'a>(routes: &'a Value, pattern: &str) -> &'a Value {
    let mut rows = routes.as_array().unwrap().iter();
    let found = rows.find(|row| row["route"] == pattern);
    found.unwrap_or_else(|| panic!("no {pattern} in {routes}"))
}

/// A request for a connection that is held open.
fn held(server: &Reloadable) -> TcpStream {
    let mut stream = TcpStream::connect(server.server.address).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

mod effects {
    use super::*;

    #[tokio::test]
    async fn tls_certificate() {
        another_certificate().await;
    }

    #[tokio::test]
    async fn tls_key() {
        another_certificate().await;
    }

    /// Neither can change without the other.
    async fn another_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let (first, first_chain, first_key) = tls::write_identity(folder.path(), "first");
        let (second, second_chain, second_key) = tls::write_identity(folder.path(), "second");
        let pair =
            |chain: &str, key: &str| format!("tls-certificate = {chain:?}\ntls-key = {key:?}\n");
        let server = Reloadable::start(&pair(&first_chain, &first_key));
        let trusted = async |root| {
            tls::get(server.server.tls(), root, b"h2", "/hello")
                .await
                .is_ok()
        };
        assert!(trusted(&first).await && !trusted(&second).await);
        server.reload(&pair(&second_chain, &second_key));
        assert!(!trusted(&first).await && trusted(&second).await);
        // A pair that does not fit is refused as a whole.
        let refused = server.refused(&(pair(&first_chain, &second_key) + "body-limit = 1\n"));
        assert!(refused.contains("cannot use the certificate"), "{refused}");
        assert!(trusted(&second).await);
        server.reload("tls-certificate = \"self-signed\"\ntls-key = \"self-signed\"\n");
        assert!(!trusted(&first).await && !trusted(&second).await);
    }

    #[test]
    fn max_connections() {
        a_limit_of_one("max-connections");
    }

    #[test]
    fn max_connections_per_address() {
        a_limit_of_one("max-connections-per-address");
    }

    #[test]
    fn max_connections_per_prefix() {
        a_limit_of_one("max-connections-per-prefix");
    }

    fn a_limit_of_one(key: &str) {
        let server = Reloadable::start("");
        let _held = held(&server);
        let answer = server.exchange(HELLO);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.reload(&format!("{key} = 1\n"));
        let answer = server.exchange(HELLO);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        server.reload(&format!("{key} = \"unlimited\"\n"));
        let answer = server.exchange(HELLO);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn accept_rate() {
        let server = Reloadable::start("");
        let paused = async || metric(&server.server, "flowctl_accept_pauses_total", "").await;
        let answered = |count| {
            for _ in 0..count {
                let answer = server.exchange(HELLO);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            }
        };
        answered(70);
        assert_eq!(paused().await, 0.0);
        // Those of a burst come at once, the next one waits for its turn.
        server.reload("accept-rate = 20\n");
        answered(70);
        assert!(paused().await > 0.0);
    }

    #[test]
    fn at_limit() {
        let server = Reloadable::start("max-connections = 1\n");
        let first = held(&server);
        let answer = server.exchange(HELLO);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        server.reload("max-connections = 1\nat-limit = \"reset\"\n");
        let answer = server.exchange(HELLO);
        assert!(answer.contains("reset by peer"), "{answer}");
        server.reload("max-connections = 1\nat-limit = \"pause\"\n");
        // The listener waits for a connection already, which is still refused; it will not accept another.
        let answer = server.exchange(HELLO);
        assert!(answer.contains("reset by peer"), "{answer}");
        let mut second = TcpStream::connect(server.server.address).unwrap();
        second.write_all(HELLO.as_bytes()).unwrap();
        drop(first);
        let mut answer = String::new();
        second.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[test]
    fn handshake_timeout() {
        let server = Reloadable::start("handshake-timeout = \"1h\"\n");
        server.reload("handshake-timeout = \"1s\"\n");
        let mut stream = TcpStream::connect(server.server.tls()).unwrap();
        let mut answer = Vec::new();
        // It ends, which it would not in the hour that was set first.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"");
    }

    #[test]
    fn header_timeout() {
        let server = Reloadable::start("header-timeout = \"1h\"\n");
        server.reload("header-timeout = \"1s\"\n");
        let answer = server.exchange("GET / HTTP/1.1\r\nHost:");
        assert!(!answer.contains("200 OK"), "{answer}");
    }

    #[test]
    fn idle_timeout() {
        let server = Reloadable::start("idle-timeout = \"1h\"\n");
        let mut before = held(&server);
        server.reload("idle-timeout = \"1s\"\n");
        // Of connections that were there already, too.
        let mut rest = Vec::new();
        before.read_to_end(&mut rest).unwrap();
        let mut after = held(&server);
        after.read_to_end(&mut rest).unwrap();
    }

    #[test]
    fn min_rate() {
        let patient = "request-timeout = \"1h\"\nidle-timeout = \"1h\"\n";
        let server = Reloadable::start(&format!("{patient}min-rate = \"unlimited\"\n"));
        server.reload(&format!("{patient}min-rate = 1000\n"));
        // A body that stops coming is waited for as long as a request may take, unless there is a least rate.
        let head = "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
        let answer = server.exchange(head);
        assert!(answer.contains("reset by peer"), "{answer}");
    }

    #[test]
    fn request_timeout() {
        let server = Reloadable::start("request-timeout = \"1h\"\n");
        server.reload("request-timeout = \"50ms\"\n");
        let head = "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
        let answer = server.exchange(head);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }

    #[tokio::test]
    async fn body_limit() {
        let server = Reloadable::start("body-limit = \"1KiB\"\n");
        let client = server.client();
        let author = json!({"name": "x".repeat(2_000)});
        client
            .post("/api/v1/authors", author.clone())
            .await
            .problem(413);
        server.reload("body-limit = \"8KiB\"\n");
        client.post("/api/v1/authors", author).await.problem(422);
    }

    #[tokio::test]
    async fn pooled_bodies() {
        let server = Reloadable::start("pooled-bodies = false\n");
        let client = server.client();
        let author = json!({"name": "x".repeat(100_000)});
        // The smallest class of the pool that holds it.
        let taken = async || {
            metric(
                &server.server,
                "server_pool_acquisitions_total",
                "size=\"262144\"",
            )
            .await
        };
        client
            .post("/api/v1/authors", author.clone())
            .await
            .problem(422);
        assert_eq!(taken().await, 0.0);
        server.reload("pooled-bodies = true\n");
        client.post("/api/v1/authors", author).await.problem(422);
        assert_eq!(taken().await, 1.0);
    }

    #[tokio::test]
    async fn breaker() {
        let server = Reloadable::start("breaker = false\n");
        let known = || figures(&server.server)["breaker"]["routes"].clone();
        server.client().get("/hello").await;
        assert_eq!(known(), json!([]));
        server.reload("breaker = true\n");
        server.client().get("/hello").await;
        let routes = known();
        assert_eq!(route(&routes, "/hello")["passed"], 1, "{routes}");
    }

    #[tokio::test]
    async fn breaker_baselines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("baselines.json");
        let text = r#"{"application": {"/hello": {"p50_us": 1, "p95_us": 2000, "p99_us": 3, "samples": 4}}}"#;
        std::fs::write(&file, text).unwrap();
        let server = Reloadable::start("");
        server.client().get("/hello").await;
        let baseline = || {
            let routes = &figures(&server.server)["breaker"]["routes"];
            route(routes, "/hello")["baseline"].clone()
        };
        assert_eq!(baseline(), Value::Null);
        server.reload(&format!("breaker-baselines = {file:?}\n"));
        assert_eq!(baseline(), json!({"secs": 0, "nanos": 2_000_000}));
        std::fs::write(&file, "[]").unwrap();
        let refused = server.refused(&format!("breaker-baselines = {file:?}\nbody-limit = 1\n"));
        assert!(refused.contains("baselines.json"), "{refused}");
        server.reload("breaker-baselines = \"learned\"\n");
        assert_eq!(baseline(), Value::Null);
    }

    #[tokio::test]
    async fn adaptive_limit() {
        let server = Reloadable::start("adaptive-limit = false\n");
        let limited = || {
            let figures = figures(&server.server);
            figures["limiter"]["accepted"].as_u64().unwrap()
        };
        server.client().get("/hello").await;
        assert_eq!(limited(), 0);
        server.reload("adaptive-limit = true\n");
        // With the probe that each generation must answer first.
        let before = limited();
        server.client().get("/hello").await;
        assert_eq!(limited(), before + 1);
    }

    #[tokio::test]
    async fn zero_copy() {
        let server = Reloadable::start("zero-copy = false\n");
        let ask = "GET /site/sample.bin HTTP/1.0\r\n\r\n";
        let sent = async || {
            // The content is served once before the kernel sends it from a sealed copy.
            for _ in 0..2 {
                let mut stream = TcpStream::connect(server.server.address).unwrap();
                stream.write_all(ask.as_bytes()).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                assert!(answer.len() > 4 << 20, "{}", answer.len());
            }
            metric(&server.server, "server_files_sendfile_bytes_total", "").await
        };
        assert_eq!(sent().await, 0.0);
        server.reload("zero-copy = true\n");
        if cfg!(target_os = "linux") {
            assert!(sent().await > 0.0);
        }
    }

    #[test]
    fn priority_rules() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("download.bin"), vec![0; 1 << 20]).unwrap();
        std::fs::write(folder.path().join("page.html"), vec![b' '; 2 << 20]).unwrap();
        let site = format!("site = {:?}\n", folder.path());
        let server = Reloadable::start(&format!("{site}priority-rules = false\n"));
        let first_to_end = || {
            let mut client = raw_http2::Connection::open(server.server.address);
            client.get(&[(1, "/site/download.bin"), (3, "/site/page.html")]);
            client.first_end()
        };
        assert_eq!(first_to_end(), 1, "they share, and the shorter one ends");
        server.reload(&format!("{site}priority-rules = true\n"));
        assert_eq!(first_to_end(), 3, "the page goes first");
    }

    #[tokio::test]
    async fn security_headers() {
        let server = Reloadable::start("security-headers = false\n");
        let client = server.client();
        let present = async || {
            let hello = client.get("/hello").await;
            hello.headers.contains_key("x-content-type-options")
        };
        assert!(!present().await);
        server.reload("security-headers = true\n");
        assert!(present().await);
    }

    #[tokio::test]
    async fn access_log() {
        let server = Reloadable::start("access-log = \"off\"\n");
        server.client().get("/hello/unseen").await;
        server.reload("access-log = \"common\"\n");
        server.client().get("/hello/seen").await;
        let line = server.server.logged("\"GET /hello/");
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        assert!(line.contains("\"GET /hello/seen HTTP/1.1\" 200 "), "{line}");
        server.reload("access-log = \"json\"\n");
        server.client().get("/hello/again").await;
        let line = server.server.logged("/hello/again");
        let entry: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&entry["path"], &entry["status"]),
            (&"/hello/again".into(), &200.into())
        );
    }

    #[tokio::test]
    async fn access_log_sample() {
        // Nobody listens on the discard port: what is asked of the proxy ends in an error, which is logged in any case.
        let log = "access-log = \"json\"\nproxy-upstream = \"127.0.0.1:9\"\n";
        let server = Reloadable::start(log);
        let client = server.client();
        let logged = async || {
            for _ in 0..9 {
                client.get("/hello/counted").await;
            }
            client.get("/proxy/end").await.problem(502);
            let mut count = 0;
            loop {
                let line = server.server.logged("\"path\":\"");
                if line.contains("/proxy/end") {
                    return count;
                }
                count += usize::from(line.contains("/hello/counted"));
            }
        };
        assert_eq!(logged().await, 9);
        server.reload(&format!("{log}access-log-sample = 3\n"));
        assert_eq!(logged().await, 3);
    }

    #[test]
    fn log() {
        // What `reload` waits for is said at the level `info`.
        Reloadable::start("log = \"error\"\n").reload("log = \"info\"\n");
    }

    #[tokio::test]
    async fn site() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "another site").unwrap();
        let server = Reloadable::start("");
        let client = server.client();
        let index = async || client.get("/site/").await.body;
        assert!(index().await.contains("tower-zerocopy-fs"));
        server.reload(&format!("site = {:?}\n", folder.path()));
        assert_eq!(index().await, "another site");
        let refused = server.refused("site = \"/no/such/folder\"\n");
        assert!(refused.contains("is not a folder"), "{refused}");
        assert_eq!(index().await, "another site");
    }

    #[tokio::test]
    async fn upload_limit() {
        an_upload_of_2000_bytes("upload-limit", 413).await;
    }

    #[tokio::test]
    async fn upload_quota() {
        an_upload_of_2000_bytes("upload-quota", 507).await;
    }

    async fn an_upload_of_2000_bytes(key: &str, refusal: u16) {
        let server = Reloadable::start(&format!("{key} = \"1KiB\"\n"));
        let client = server.client();
        let length = [("upload-length", "2000")];
        let create = async || client.send(Method::POST, "/uploads", &length, None).await;
        create().await.problem(refusal);
        server.reload(&format!("{key} = \"2KiB\"\n"));
        assert_eq!(create().await.status, 201);
    }

    #[tokio::test]
    async fn proxy_upstream() {
        let upstream = Server::start(&["--demo-data", "off"]);
        let server = Reloadable::start("proxy-upstream = \"off\"\n");
        let client = server.client();
        let books = async || client.get("/proxy/api/v1/books").await;
        books().await.problem(404);
        server.reload(&format!("proxy-upstream = \"{}\"\n", upstream.address));
        assert_eq!(books().await.json()["total"], 0);
        server.reload("proxy-upstream = \"self\"\n");
        assert_eq!(books().await.json()["total"], 12);
    }
}

#[test]
fn no_setting_that_reloads_is_without_a_test_of_its_effect() {
    let tests = include_str!("reload_effects.rs");
    let file = include_str!("../../server.toml");
    let marked = file.lines().filter(|line| line.contains("# *"));
    let keys: Vec<_> = marked.map(|line| line.split(' ').next().unwrap()).collect();
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let test = format!("    fn {}() {{", key.replace('-', "_"));
        let waiting = test.replace("fn", "async fn");
        assert!(tests.contains(&test) || tests.contains(&waiting), "{key}");
    }
}
