//! Uploads: resumed after anything, within their limits, and read back in ranges.

use std::io::Write;
use std::net::TcpStream;

use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;

use crate::client::{Answer, Client};
use crate::process::Server;
use crate::waiting::until;

const PIECE: &str = "application/offset+octet-stream";

async fn create(client: &Client, server: &Server, length: usize) -> Answer {
    let request = Request::post(format!("http://{}/uploads", server.address))
        .header("upload-length", length)
        .body(Full::default());
    client.send_raw(request.unwrap()).await
}

async fn append(
    client: &Client,
    server: &Server,
    path: &str,
    offset: usize,
    piece: &[u8],
) -> Answer {
    let request = Request::patch(format!("http://{}{path}", server.address))
        .header("upload-offset", offset)
        .header("content-type", PIECE)
        .body(Full::from(Bytes::copy_from_slice(piece)));
    client.send_raw(request.unwrap()).await
}

async fn offset(client: &Client, path: &str) -> usize {
    let status = client.send(Method::HEAD, path, &[], None).await;
    status.header("upload-offset").parse().unwrap()
}

/// Waits until an upload is being received by another request. It is locked then; until it is, it goes on at another offset.
async fn being_received(client: &Client, server: &Server, path: &str) {
    until(
        "an upload that is received by another request",
        async || match append(client, server, path, 7, b"").await {
            locked if locked.status == 423 => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await;
}

/// Bytes that say where they are, in ASCII.
fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| b'a' + (index / 7 % 26) as u8)
        .collect()
}

#[tokio::test]
async fn an_upload_goes_on_after_a_broken_connection_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data", folder.path().to_str().unwrap()];
    let mut server = Server::start(&arguments);
    let client = Client::http1(server.address);
    let whole = content(1_000_000);
    let path = create(&client, &server, whole.len())
        .await
        .header("location")
        .to_owned();
    let done = append(&client, &server, &path, 0, &whole[..300_000]).await;
    assert_eq!(
        (done.status.as_u16(), done.header("upload-offset")),
        (204, "300000")
    );

    // A client that breaks off: it announces more than it sends.
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 300000\r\nContent-Type: {PIECE}\r\nContent-Length: 500000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&whole[300_000..600_000]).unwrap();
    drop(stream);
    // Whatever of it arrived has been kept, once the server has noticed.
    let there = until("an upload that goes on", async || {
        let there = offset(&client, &path).await;
        let retried = append(&client, &server, &path, there, &whole[there..there + 10]).await;
        match retried.status.as_u16() {
            204 => Ok(there),
            // It is still being received, or went on meanwhile.
            409 | 423 => Err(retried.body),
            _ => panic!("{retried:?}"),
        }
    })
    .await;
    assert!((300_000..=600_000).contains(&there), "{there}");

    server.kill();
    drop(server);
    let server = Server::start(&arguments);
    let client = Client::http1(server.address);
    let there = offset(&client, &path).await;
    client.get(&path).await.problem(409);
    let done = append(&client, &server, &path, there, &whole[there..]).await;
    assert_eq!(done.status, 204, "{}", done.body);
    let read = client.get(&path).await;
    assert!(read.body.as_bytes() == whole, "what came back differs");
    let range = client
        .send(
            Method::GET,
            &path,
            &[("range", "bytes=299990-300009")],
            None,
        )
        .await;
    assert_eq!(range.status, 206);
    assert_eq!(range.body.as_bytes(), &whole[299_990..300_010]);
    assert!(
        range
            .header("content-disposition")
            .starts_with("attachment")
    );

    assert_eq!(
        client.send(Method::DELETE, &path, &[], None).await.status,
        204
    );
    client.get(&path).await.problem(404);
    assert_eq!(
        std::fs::read_dir(folder.path().join("uploads"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn limits_are_kept() {
    let server = Server::start(&["--upload-limit", "1KiB", "--upload-quota", "2KiB"]);
    let client = Client::http1(server.address);
    create(&client, &server, 1025).await.problem(413);
    let path = create(&client, &server, 1024)
        .await
        .header("location")
        .to_owned();
    create(&client, &server, 1024).await;
    let full = create(&client, &server, 1).await.problem(507);
    assert!(full.contains("2048 bytes together"), "{full}");
    append(&client, &server, &path, 1, b"x").await.problem(409);
    append(&client, &server, &path, 0, &content(1025))
        .await
        .problem(413);
    let wrong_type = client
        .send(
            Method::PATCH,
            &path,
            &[("upload-offset", "0")],
            Some(serde_json::json!(1)),
        )
        .await;
    wrong_type.problem(415);
    client
        .send(Method::POST, "/uploads", &[], None)
        .await
        .problem(400);
    let version = [("tus-resumable", "0.2.2"), ("upload-length", "1")];
    client
        .send(Method::POST, "/uploads", &version, None)
        .await
        .problem(412);
    client.get("/uploads/0123").await.problem(404);
}

/// A server whose files may not grow beyond this many times 512 bytes: a write beyond it takes what fits and is then refused, as
/// by a disk that is full.
#[cfg(target_os = "linux")]
fn with_small_files(blocks: u32) -> Server {
    let mut command = std::process::Command::new("sh");
    let limited = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\"");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_server")]);
    command.env_clear().stdin(std::process::Stdio::null());
    for port in ["SERVER_LISTEN", "SERVER_TLS_LISTEN", "SERVER_ADMIN_LISTEN"] {
        command.env(port, "127.0.0.1:0");
    }
    Server::run(&mut command)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_upload_goes_on_after_the_disk_was_full() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    // More than the built-in site needs, and no multiple of what is written at once.
    let server = with_small_files(10_333);
    let client = Client::http1(server.address);
    let whole = content(12 << 20);
    let path = create(&client, &server, whole.len())
        .await
        .header("location")
        .to_owned();
    let full = append(&client, &server, &path, 0, &whole).await;
    assert_eq!(full.problem(507), "the disk is full");
    // What was not read of the body ends the connection, so that the next request does not go into it.
    assert_eq!(full.header("connection"), "close");
    let there = offset(&client, &path).await;
    assert!(there > 0 && there < whole.len(), "{there}");

    let room = Rlimit {
        current: None,
        maximum: None,
    };
    let process = Pid::from_raw(i32::try_from(server.id()).unwrap());
    prlimit(process, Resource::Fsize, room).unwrap();
    let done = append(&client, &server, &path, there, &whole[there..]).await;
    assert_eq!(done.status, 204, "{}", done.body);
    let read = client.get(&path).await;
    assert!(read.body.as_bytes() == whole, "what came back differs");
}

#[cfg(unix)]
#[tokio::test]
async fn an_upload_that_the_drain_cuts_off_goes_on_in_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--data",
        folder.path().to_str().unwrap(),
        "--drain-timeout",
        "50ms",
    ];
    let server = Server::start(&arguments);
    let client = Client::http1(server.address);
    let whole = content(1_000_000);
    let path = create(&client, &server, whole.len())
        .await
        .header("location")
        .to_owned();
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\nContent-Type: {PIECE}\r\nContent-Length: 1000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&whole[..600_000]).unwrap();
    // What fills buffers of 256 KiB is on the disk, the sender has not finished, and nobody is writing.
    until("512 KiB that are kept", async || {
        match offset(&client, &path).await {
            there if there >= 512 * 1024 => Ok(()),
            there => Err(format!("{there} bytes")),
        }
    })
    .await;
    server.signal("TERM");
    let line = server.logged("the drain timeout cut connections off");
    assert!(line.contains("buffers_out=0"), "{line}");
    assert_eq!(server.wait().code(), Some(1));

    let server = Server::start(&arguments);
    let client = Client::http1(server.address);
    let there = offset(&client, &path).await;
    assert!((1..=600_000).contains(&there), "{there}");
    let done = append(&client, &server, &path, there, &whole[there..]).await;
    assert_eq!(done.status, 204, "{}", done.body);
    let read = client.get(&path).await;
    assert!(read.body.as_bytes() == whole, "what came back differs");
}

#[tokio::test]
async fn an_upload_is_whole_though_its_body_broke_off_behind_the_last_byte() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let path = create(&client, &server, 5)
        .await
        .header("location")
        .to_owned();
    let mut stream = TcpStream::connect(server.address).unwrap();
    // The last chunk never comes. All of it in one segment, so that the file's bytes are there when the head is.
    let request = format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\nContent-Type: {PIECE}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    being_received(&client, &server, &path).await;
    drop(stream);
    let read = until("an upload that is whole", async || {
        let read = client.get(&path).await;
        // The server has not noticed yet.
        match read.status == 409 {
            true => Err(read.body),
            false => Ok(read),
        }
    })
    .await;
    assert_eq!((read.status.as_u16(), read.body.as_str()), (200, "hello"));
}

#[tokio::test]
async fn a_complete_part_is_whole_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data", folder.path().to_str().unwrap()];
    let mut server = Server::start(&arguments);
    server.kill();
    drop(server);
    // What a process leaves that ends between the last byte and the name.
    let uploads = folder.path().join("uploads");
    std::fs::write(uploads.join("0123456789abcdef.part"), "hello").unwrap();
    std::fs::write(uploads.join("0123456789abcdef.length"), "5").unwrap();
    let server = Server::start(&arguments);
    let client = Client::http1(server.address);
    let read = client.get("/uploads/0123456789abcdef").await;
    assert_eq!((read.status.as_u16(), read.body.as_str()), (200, "hello"));
    assert_eq!(std::fs::read_dir(&uploads).unwrap().count(), 1);
}

#[tokio::test]
async fn uploads_leave_other_requests_half_of_the_pool() {
    // Buffers for eight pieces, so four uploads are received at a time.
    let server = Server::start(&["--body-budget", "2MiB", "--body-limit", "1MiB"]);
    let client = Client::http1(server.address);
    let mut senders = Vec::new();
    for _ in 0..8 {
        let path = create(&client, &server, 10)
            .await
            .header("location")
            .to_owned();
        let mut stream = TcpStream::connect(server.address).unwrap();
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\nContent-Type: {PIECE}\r\nContent-Length: 10\r\n\r\nhello"
        );
        stream.write_all(head.as_bytes()).unwrap();
        being_received(&client, &server, &path).await;
        senders.push(stream);
    }
    for _ in 0..20 {
        let made = client
            .post("/api/v1/authors", serde_json::json!({"name": "Ann"}))
            .await;
        assert_eq!(made.status, 201, "{}", made.body);
    }
}
