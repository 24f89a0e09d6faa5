//! The kinds of load. Each goes on until its time is over, and returns how many rounds it came to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::PATIENCE;
use super::refusals::{Patient, Refusals};

/// The length of the site's `sample.bin`.
const SAMPLE: usize = 4 << 20;

/// The shop: rows come and go, lists are read, orders are placed and cancelled.
pub(super) async fn shop(client: Patient, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        let made = client
            .post("/api/v1/authors", json!({"name": "Soaked"}))
            .await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = made.header("location").to_owned();
        let listed = client.get("/api/v1/books?limit=100").await;
        assert_eq!(listed.status, 200, "{}", listed.body);
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
pub(super) async fn uploads(client: Patient, server: SocketAddr, until: Instant) -> usize {
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
pub(super) async fn files(client: Patient, until: Instant) -> usize {
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

/// Clients that break off: in a head, in a body, in a response, in a handshake. Then one that gets its answer: the server is as far
/// by then, so that they do not come faster than it can take them.
pub(super) fn aborts(server: SocketAddr, tls: SocketAddr, until: Instant) -> usize {
    let heads = [
        "GET /hello HTTP/1.1\r\nHo",
        "POST /api/v1/authors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
        "GET /site/sample.bin HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n",
    ];
    // The beginning of a handshake: of 512 bytes that are told of, two come (RFC 8446 §5.1).
    let handshake = "\x16\x03\x01\x02\x00\x01\x00";
    let whole = "GET /site/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut rounds = 0;
    while Instant::now() < until {
        let to_server = heads.map(|head| (server, head));
        for (port, head) in to_server.into_iter().chain([(tls, handshake)]) {
            let mut stream = TcpStream::connect(port).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
        }
        let mut stream = TcpStream::connect(server).unwrap();
        stream.write_all(whole.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
        rounds += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    rounds
}

/// Pages asked for in the midst of downloads, on one connection of HTTP/2: by urgency, by increments, and with downloads that
/// are given up.
pub(super) async fn priorities(server: SocketAddr, refusals: Refusals, until: Instant) -> usize {
    let socket = tokio::net::TcpStream::connect(server).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let get = async |path: &str, priority: &str| {
        loop {
            let request = Request::get(format!("http://{server}{path}"))
                .header("priority", priority)
                .body(Full::<Bytes>::default());
            let mut client = client.clone();
            let response = client.send_request(request.unwrap()).await.unwrap();
            let (head, body) = response.into_parts();
            if !refusals.wait(head.status, &head.headers).await {
                assert_eq!(head.status, 200, "{path} {priority}");
                return body;
            }
        }
    };
    let read = async |path: &str, priority: &str| {
        let body = get(path, priority).await.collect().await.unwrap();
        body.to_bytes().len()
    };
    let mut rounds = 0;
    while Instant::now() < until {
        let given_up = get("/site/sample.bin", "u=7").await;
        let (late, shared, also, page, hello) = tokio::join!(
            read("/site/sample.bin", "u=6"),
            read("/site/sample.bin", "u=5, i"),
            read("/site/sample.bin", "u=5, i"),
            read("/site/", "u=1"),
            read("/hello", "u=0"),
        );
        drop(given_up);
        assert_eq!((late, shared, also), (SAMPLE, SAMPLE, SAMPLE));
        assert!(page > 0 && hello > 0);
        rounds += 1;
    }
    drop(client);
    connection.await.unwrap().unwrap();
    rounds
}

/// A client that sends its head in pieces and takes the response in sips, slowly.
pub(super) async fn slow(server: SocketAddr, until: Instant) -> usize {
    const PACE: Duration = Duration::from_millis(2);
    let mut rounds = 0;
    while Instant::now() < until {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let mut stream = socket.connect(server).await.unwrap();
        let head = b"GET /site/sample.bin HTTP/1.1\r\nHost: slow\r\nConnection: close\r\n\r\n";
        for piece in head.chunks(7) {
            stream.write_all(piece).await.unwrap();
            tokio::time::sleep(PACE).await;
        }
        let mut answer = Vec::new();
        let mut sip = [0; 24 * 1024];
        loop {
            match stream.read(&mut sip).await.unwrap() {
                0 => break,
                n => answer.extend_from_slice(&sip[..n]),
            }
            tokio::time::sleep(PACE).await;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
        let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(answer.len() - head, SAMPLE);
        rounds += 1;
    }
    rounds
}

/// Turns a setting round, once a second, and waits each time until responses show it.
pub(super) async fn reloads(client: Patient, file: PathBuf, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        let (next, on) = (Instant::now() + Duration::from_secs(1), rounds % 2 == 1);
        let sample = 1 + rounds % 7;
        let text = format!("security-headers = {on}\naccess-log-sample = {sample}\n");
        // In one step, so that no half of it is ever read.
        let new = file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &file).unwrap();
        let written = Instant::now();
        loop {
            let hello = client.get("/hello").await;
            assert_eq!(hello.status, 200);
            if hello.headers.contains_key("x-frame-options") == on {
                break;
            }
            assert!(written.elapsed() < PATIENCE, "reload {rounds} is not seen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        rounds += 1;
        tokio::time::sleep_until(next.min(until).into()).await;
    }
    rounds
}
