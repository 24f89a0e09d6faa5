//! Effects on connections: certificates, limits and times.

use super::*;
use crate::waiting::until;
#[cfg(target_os = "linux")]
use crate::waiting::until_blocking;

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
    let pair = |chain: &str, key: &str| format!("tls-certificate = {chain:?}\ntls-key = {key:?}\n");
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
    // More than the 64 of a burst, which come at once whatever the rate.
    let burst = || {
        let asked = (0..70).map(|_| {
            let mut stream = TcpStream::connect(server.server.address).unwrap();
            stream.write_all(HELLO.as_bytes()).unwrap();
            stream
        });
        for mut stream in asked.collect::<Vec<_>>() {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    };
    burst();
    assert_eq!(paused().await, 0.0);
    server.reload("accept-rate = 2\n");
    // A machine that takes seconds for a burst earns the rest meanwhile; another one then.
    until("a pause", async || match paused().await {
        0.0 => {
            burst();
            Err("none".to_owned())
        }
        _ => Ok(()),
    })
    .await;
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

/// Bytes that the server's kernel holds for a connection: those that it has not sent, and those that were not acknowledged.
#[cfg(target_os = "linux")]
fn held_by_the_kernel(client: &TcpStream) -> u64 {
    let port = |address: std::net::SocketAddr| format!(":{:04X}", address.port());
    let (server, client) = (
        port(client.peer_addr().unwrap()),
        port(client.local_addr().unwrap()),
    );
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let queue = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote) = (fields.next()?, fields.next()?);
        let (unsent, _) = fields.nth(1)?.split_once(':')?;
        (local.ends_with(&server) && remote.ends_with(&client)).then(|| unsent.to_owned())
    });
    u64::from_str_radix(&queue.expect("the connection is open"), 16).unwrap()
}

/// Asks for 4 MiB and takes nothing of it.
#[cfg(target_os = "linux")]
fn takes_nothing(server: &Reloadable) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.server.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream
        .write_all(b"GET /site/sample.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    // Its first bytes are here, and so the server has begun.
    stream.peek(&mut [0]).unwrap();
    stream
}

#[cfg(target_os = "linux")]
#[test]
fn unsent() {
    const MUCH: u64 = 512 << 10;
    let server = Reloadable::start("unsent = \"unlimited\"\n");
    let stream = takes_nothing(&server);
    until_blocking(
        "a response that the kernel holds much of",
        || match held_by_the_kernel(&stream) {
            MUCH.. => Ok(()),
            held => Err(format!("{held} bytes")),
        },
    );
    server.reload("unsent = \"16KiB\"\n");
    let stream = takes_nothing(&server);
    // By then it could have been given all that there is room for.
    for _ in 0..10 {
        assert!(server.exchange(HELLO).starts_with("HTTP/1.1 200 "));
    }
    let held = held_by_the_kernel(&stream);
    assert!((1..MUCH).contains(&held), "{held}");
}
