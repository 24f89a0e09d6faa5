//! Everything at once for a while: nothing fails that should not, and what was taken is given back.
//!
//! `SOAK_SECONDS=1800 cargo test --release -p server --test behaviour soak` runs it for half an hour; without, it takes five
//! seconds.

#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;

use crate::client::Client;
use crate::process::Server;

/// A metric's value, summed over its labels.
async fn metric(admin: &Client, name: &str) -> f64 {
    let text = admin.get("/metrics").await.body;
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{']))
    });
    lines
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

/// The shop: rows come and go, lists are read, orders are placed and cancelled.
async fn shop(client: Client, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        let made = client
            .post("/api/v1/authors", json!({"name": "Soaked"}))
            .await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = made.header("location").to_owned();
        assert_eq!(client.get("/api/v1/books?limit=100").await.status, 200);
        let order = json!({"customer_id": 1, "lines": [{"book_id": 9, "quantity": 1}]});
        let placed = client.post("/api/v1/orders", order).await;
        assert_eq!(placed.status, 201, "{}", placed.body);
        let order = placed.header("location").to_owned();
        let cancel = format!("{order}/cancel");
        assert_eq!(
            client.send(Method::POST, &cancel, &[], None).await.status,
            200
        );
        for path in [order, path] {
            assert_eq!(
                client.send(Method::DELETE, &path, &[], None).await.status,
                204
            );
        }
        rounds += 1;
    }
    rounds
}

/// Uploads in two pieces, read back in a range, and removed.
async fn uploads(client: Client, server: SocketAddr, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        let request =
            Request::post(format!("http://{server}/uploads")).header("upload-length", 400_000);
        let made = client
            .send_raw(request.body(Full::default()).unwrap())
            .await;
        let path = made.header("location").to_owned();
        for offset in [0, 200_000] {
            let piece = Request::patch(format!("http://{server}{path}"))
                .header("upload-offset", offset)
                .header("content-type", "application/offset+octet-stream")
                .body(Full::from(Bytes::from(vec![b'x'; 200_000])));
            assert_eq!(client.send_raw(piece.unwrap()).await.status, 204);
        }
        let range = client
            .send(
                Method::GET,
                &path,
                &[("range", "bytes=199990-200009")],
                None,
            )
            .await;
        assert_eq!((range.status.as_u16(), range.body.len()), (206, 20));
        assert_eq!(
            client.send(Method::DELETE, &path, &[], None).await.status,
            204
        );
        rounds += 1;
    }
    rounds
}

/// Files and the proxy.
async fn files(client: Client, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        let range = [("range", "bytes=4096-4103")];
        assert_eq!(
            client
                .send(Method::GET, "/site/sample.bin", &range, None)
                .await
                .status,
            206
        );
        assert_eq!(client.get("/site/").await.status, 200);
        assert_eq!(client.get("/proxy/hello").await.status, 200);
        rounds += 1;
    }
    rounds
}

/// Clients that break off: in a head, in a body, in a response.
fn aborts(server: SocketAddr, until: Instant) -> usize {
    let heads = [
        "GET /hello HTTP/1.1\r\nHo",
        "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
        "GET /site/sample.bin HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
    ];
    let mut rounds = 0;
    while Instant::now() < until {
        for head in heads {
            let mut stream = TcpStream::connect(server).unwrap();
            // It may have been refused while another one was still being let go.
            let _ = stream.write_all(head.as_bytes());
        }
        rounds += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    rounds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_load_leaves_nothing_behind() {
    let seconds = std::env::var("SOAK_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(5));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, "").unwrap();
    // The clients keep connections they do not need, which are to be gone before the end.
    let settings = ["--config", file.to_str().unwrap(), "--idle-timeout", "1s"];
    let server = Server::start(&settings);
    let admin = Client::http1(server.admin());
    let address = server.address;
    let mut settled = 0.0;
    // A third to settle, two thirds to see whether it grows.
    for part in [length / 3, length * 2 / 3] {
        let until = Instant::now() + part;
        let load = [
            tokio::spawn(shop(Client::http1(address), until)),
            tokio::spawn(shop(Client::http2(address), until)),
            tokio::spawn(uploads(Client::http1(address), address, until)),
            tokio::spawn(files(Client::http1(address), until)),
            tokio::spawn(files(Client::http2(address), until)),
            tokio::task::spawn_blocking(move || aborts(address, until)),
        ];
        let mut reloads = 0;
        while Instant::now() < until {
            std::fs::write(&file, format!("access-log-sample = {}\n", 1 + reloads % 7)).unwrap();
            reloads += 1;
            tokio::time::sleep(Duration::from_secs(1).min(part)).await;
        }
        for task in load {
            let rounds = task.await.expect("nothing failed");
            assert!(
                rounds > 0,
                "one kind of load did not come to a single round"
            );
        }
        let memory = metric(&admin, "process_resident_memory_bytes").await;
        assert!(
            settled == 0.0 || memory < settled * 1.5,
            "from {settled} to {memory} bytes"
        );
        settled = memory;
    }
    let failed = admin.get("/metrics").await.body;
    let failed = failed
        .lines()
        .filter(|line| line.contains("status=\"5xx\"} ") && !line.ends_with(" 0"));
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<&str>::new());
    // What clients broke off is noticed a little later.
    loop {
        let out = metric(&admin, "server_requests_in_flight").await;
        let text = admin.get("/metrics").await.body;
        let in_use = text.lines().filter(|line| {
            line.starts_with("server_pool_buffers{")
                && line.contains("in_use")
                && !line.ends_with(" 0")
        });
        let open = text
            .lines()
            .find(|line| line.starts_with("server_connections_open{port=\"http\"}"));
        if out == 0.0 && in_use.count() == 0 && open.is_some_and(|line| line.ends_with(" 0")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
