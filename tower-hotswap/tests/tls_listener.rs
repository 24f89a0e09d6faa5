//! The listener under `axum::serve`, with real clients.
#![cfg(all(feature = "rustls", feature = "axum", not(hotswap_loom)))]

mod common;

use std::{
    io::Write,
    net::SocketAddr,
    pin::pin,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::ConnectInfo,
    routing::get,
    serve::{Listener, ListenerExt},
};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{HandshakeKind, pki_types::ServerName},
};
use tower_hotswap::{
    Version,
    tls::{HotTls, HotTlsListener, TlsConnectInfo},
};

use common::{Pair, certificates, pair};

fn version(number: u64) -> Version {
    Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes())
}

fn client(trusted: &[&Pair]) -> TlsConnector {
    TlsConnector::from(Arc::new(common::client(trusted, "http/1.1")))
}

async fn info(ConnectInfo(info): ConnectInfo<TlsConnectInfo<SocketAddr>>) -> String {
    let protocol = String::from_utf8(info.handshake.protocol.unwrap_or_default()).unwrap();
    format!(
        "{} {protocol} {}",
        info.address,
        info.handshake.server_name.unwrap_or_default()
    )
}

async fn serve(
    tls: HotTls,
    configure: impl FnOnce(HotTlsListener<TcpListener>) -> HotTlsListener<TcpListener>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = configure(HotTlsListener::new(listener, tls));
    let app = Router::new().route("/", get(info));
    let app = app.into_make_service_with_connect_info::<TlsConnectInfo<SocketAddr>>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// One request on a connection of its own: the answer, and whether the session was resumed.
async fn ask(
    client: &TlsConnector,
    address: SocketAddr,
) -> std::io::Result<(String, bool, SocketAddr)> {
    let socket = TcpStream::connect(address).await?;
    let local = socket.local_addr()?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = client.connect(name, socket).await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
    Ok((answer, resumed, local))
}

#[tokio::test]
async fn handlers_see_the_peer_and_the_handshake() {
    let pair = pair();
    let address = serve(
        HotTls::new(certificates(&pair), version(0)).unwrap(),
        |listener| listener,
    )
    .await;
    let (answer, _, local) = ask(&client(&[&pair]), address).await.unwrap();
    assert!(
        answer.ends_with(&format!("{local} http/1.1 localhost")),
        "{answer}"
    );
}

#[tokio::test]
async fn the_listener_composes_with_others() {
    let pair = pair();
    let tapped = Arc::new(AtomicUsize::new(0));
    let (below, above) = (tapped.clone(), tapped.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = listener.tap_io(move |_| _ = below.fetch_add(1, Ordering::SeqCst));
    let tls = HotTls::new(certificates(&pair), version(0)).unwrap();
    let listener = HotTlsListener::new(listener, tls)
        .tap_io(move |_| _ = above.fetch_add(10, Ordering::SeqCst));
    let app = Router::new().route(
        "/",
        get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
    );
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (answer, _, local) = ask(&client(&[&pair]), address).await.unwrap();
    assert!(answer.ends_with(&local.to_string()), "{answer}");
    assert_eq!(tapped.load(Ordering::SeqCst), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloading_under_load_loses_no_connection_and_sessions_go_on() {
    let pairs = [pair(), pair()];
    let tls = HotTls::new(certificates(&pairs[0]), version(0)).unwrap();
    let address = serve(tls.clone(), |listener| listener).await;
    let client = client(&[&pairs[0], &pairs[1]]);
    // A ticket from before all reloads.
    ask(&client, address).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (client, done) = (client.clone(), done.clone());
            tokio::spawn(async move {
                let (mut total, mut resumed) = (0, 0);
                while !done.load(Ordering::Relaxed) {
                    let (answer, was_resumed, _) = ask(&client, address).await.unwrap();
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                    total += 1;
                    resumed += usize::from(was_resumed);
                }
                (total, resumed)
            })
        })
        .collect();
    for number in 1..=200_u64 {
        let next = certificates(&pairs[(number % 2) as usize]);
        tls.certificates().swap(next, version(number)).unwrap();
        tokio::task::yield_now().await;
        if number % 20 == 0 {
            ask(&client, address).await.unwrap();
        }
    }
    done.store(true, Ordering::Relaxed);
    let (mut total, mut resumed) = (0, 0);
    for task in tasks {
        let (of_task, resumed_of_task) = task.await.unwrap();
        total += of_task;
        resumed += resumed_of_task;
    }
    // A client that finds its tickets used up by the others makes a full handshake.
    assert!(
        total > 0 && resumed * 2 > total,
        "{resumed} of {total} resumed"
    );
}

#[tokio::test]
async fn silent_clients_give_way() {
    let pair = pair();
    let tls = HotTls::new(certificates(&pair), version(0)).unwrap();
    let long = Duration::from_secs(3600);
    let address = serve(tls, |listener| {
        listener.handshake_limit(2).handshake_timeout(long)
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // Behind six clients that never speak, of whom only two may stay.
    let (answer, ..) = ask(&client(&[&pair]), address).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut buffer = [0];
    assert_eq!(
        silent[0].read(&mut buffer).await.unwrap_or(0),
        0,
        "the first was closed"
    );
}

#[tokio::test]
async fn a_handshake_has_a_time_limit() {
    let pair = pair();
    let tls = HotTls::new(certificates(&pair), version(0)).unwrap();
    let address = serve(tls, |listener| {
        listener.handshake_timeout(Duration::from_millis(50))
    })
    .await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn handshakes_under_way_are_handed_out_when_the_listener_is_closed() {
    let pair = pair();
    let tls = HotTls::new(certificates(&pair), version(0)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, mut accepts) = mpsc::unbounded_channel();
    let listener = listener.tap_io(move |_| accepted.send(()).unwrap());
    let mut listener = HotTlsListener::new(listener, tls);
    let mut sockets = Vec::new();
    for _ in 0..2 {
        sockets.push(TcpStream::connect(address).await.unwrap());
        tokio::select! {
            _ = listener.accept() => panic!("no handshake has ended"),
            accepted = accepts.recv() => accepted.unwrap(),
        }
    }
    let mut handshakes = pin!(listener.into_handshakes());
    assert_eq!(accepts.recv().await, None, "the listener below is closed");
    // The other one goes away.
    let (socket, gone) = (sockets.pop().unwrap(), sockets.pop());
    drop(gone);
    let local = socket.local_addr().unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let (connected, handed_out) =
        tokio::join!(client(&[&pair]).connect(name, socket), handshakes.next());
    let (_, peer) = handed_out.expect("a handshake was under way");
    assert_eq!(peer, local);
    connected.unwrap();
    assert!(handshakes.next().await.is_none(), "that was the last one");
}

/// What `openssl s_client` says of six connections, the last five of which may resume the first's session.
fn reconnect(address: SocketAddr, extra: &[&str]) -> String {
    let mut child = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &address.to_string(),
            "-servername",
            "localhost",
        ])
        .args(extra)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdin.take().map(|mut input| input.write_all(b"Q\n")));
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_resumes_with_the_same_protocol_and_not_with_another() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!(
            "!!! NOT TESTED: openssl is not installed, so nothing is known of how its clients resume"
        );
        return;
    }
    let pair = pair();
    let tls = HotTls::new(certificates(&pair), version(0)).unwrap();
    let address = serve(tls, |listener| listener).await;
    let run = |extra: Vec<String>| async move {
        let run = move || {
            reconnect(
                address,
                &extra.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let count = |text: &str, kind: &str| text.lines().filter(|line| line.starts_with(kind)).count();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();

    let said = run(words("-tls1_2 -reconnect -alpn h2")).await;
    assert_eq!(
        (count(&said, "New, "), count(&said, "Reused, ")),
        (1, 5),
        "{said}"
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.pem").display().to_string();
    let made = run(words(&format!("-tls1_2 -alpn h2 -sess_out {file}"))).await;
    assert_eq!(count(&made, "New, "), 1, "{made}");
    for (protocol, wanted) in [("h2", "Reused, "), ("http/1.1", "New, ")] {
        let said = run(words(&format!("-tls1_2 -alpn {protocol} -sess_in {file}"))).await;
        assert_eq!(count(&said, wanted), 1, "{protocol}: {said}");
    }
}
