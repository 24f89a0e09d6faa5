//! Effects on requests: what they may take, and the layers that they pass.

use super::*;

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
    let text =
        r#"{"application": {"/hello": {"p50_us": 1, "p95_us": 2000, "p99_us": 3, "samples": 4}}}"#;
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
        // From memory, so that neither waits for the disk and lets the other pass.
        for path in ["/site/download.bin", "/site/page.html"] {
            for _ in 0..3 {
                let mut client = raw_http2::Connection::open(server.server.address);
                client.get(&[(1, path)]);
                client.first_end();
            }
        }
        let mut client = raw_http2::Connection::open(server.server.address);
        client.get(&[(1, "/site/download.bin"), (3, "/site/page.html")]);
        client.first_end()
    };
    assert_eq!(first_to_end(), 1, "they share, and the shorter one ends");
    server.reload(&format!("{site}priority-rules = true\n"));
    assert_eq!(first_to_end(), 3, "the page goes first");
}
