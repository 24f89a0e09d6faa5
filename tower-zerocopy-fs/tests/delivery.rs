//! Every byte arrives on every kind of connection, and `sendfile(2)` is used exactly where it can be.
#![cfg(target_os = "linux")]

mod common;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body as AxumBody};
use common::{
    Tree, content, counted, fetch, fetch_and_settle, read_response, request, serve, serve_plain,
    sha256, tls,
};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower_http::{
    compression::CompressionLayer, map_response_body::MapResponseBodyLayer, timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tower_zerocopy_fs::{Metrics, ServeFiles, ZeroCopyStream};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a connection allows for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// All but the small files go by `sendfile`, the largest ones by windows.
    Sendfile,
    /// Nothing does, and windows are refused where they are tried.
    Nothing,
}

struct Site {
    _tree: Tree,
    files: ServeFiles,
    metrics: Arc<Metrics>,
    contents: Vec<(&'static str, Vec<u8>)>,
}

/// Files of all tiers. The bound for sealed files is lowered to 1 MiB, so that 16 MiB are for the windows.
fn site() -> Site {
    let tree = Tree::new();
    let mut contents = Vec::new();
    for (name, len) in [
        ("0", 0),
        ("1", 1),
        ("1k", KIB),
        ("64k-1", 64 * KIB - 1),
        ("64k", 64 * KIB),
        ("64k+1", 64 * KIB + 1),
        ("1m", MIB),
        ("16m", 16 * MIB + 4321),
    ] {
        let bytes = content(len);
        tree.file(name, &bytes);
        contents.push((name, bytes));
    }
    let (files, metrics) = counted(&tree);
    Site {
        _tree: tree,
        files: files.sealed_cache(MIB as u64, 64 * MIB as u64),
        metrics,
        contents,
    }
}

/// First and last byte, as text and numbers, for a file of `len` bytes.
fn ranges(len: usize) -> Vec<(usize, usize)> {
    let last = len - 1;
    let mut all = vec![(0, 0), (last, last), (0, last), (len / 3, len / 2)];
    if len > 100 {
        all.extend([(5, 69_999.min(last)), (len - 99, last), (1, last - 1)]);
    }
    all
}

/// Fetches each file three times whole and once in each range, over `address`, and checks every digest and counter.
async fn check_all(site: &Site, address: SocketAddr, expect: Expect, name: &str) {
    for (file, bytes) in &site.contents {
        let digest = sha256(bytes);
        let path = format!("/{file}");
        for round in 0..3 {
            let before = site.metrics.snapshot();
            let answer = fetch_and_settle(address, &path, &[], "/1")
                .await
                .unwrap_or_else(|e| panic!("{name} {file} {round}: {e}"));
            assert_eq!(answer.status, 200, "{name} {file}");
            assert!(
                sha256(&answer.body) == digest,
                "{name} {file} round {round}"
            );
            let after = site.metrics.snapshot();
            let sent = after.sendfile_bytes - before.sendfile_bytes;
            let expected = match (expect, bytes.len()) {
                (Expect::Nothing, _) => 0,
                (_, len) if len < 16 * KIB => 0,
                // The heap cache has it for all who look, and the page cache for the kernel.
                (_, len) if len <= 64 * KIB => len,
                // Found in memory by all but the first request.
                (_, len) if len <= MIB && round > 0 => len,
                (_, len) if len < 512 * KIB => 0,
                // All but the tail, which is read.
                (_, len) => len - 4 * KIB,
            };
            assert_eq!(
                sent, expected as u64,
                "{name} {file} round {round}: bytes by sendfile"
            );
        }
        if !bytes.is_empty() {
            for (first, last) in ranges(bytes.len()) {
                let range = format!("bytes={first}-{last}");
                let answer = fetch_and_settle(address, &path, &[("range", &range)], "/1")
                    .await
                    .unwrap();
                assert_eq!(answer.status, 206, "{name} {file} {range}");
                assert!(answer.body == bytes[first..=last], "{name} {file} {range}");
            }
        }
    }
    let end = site.metrics.snapshot();
    assert_eq!(end.windows_violated, 0, "{name}");
    assert_eq!(
        end.windows_proven > 0,
        expect == Expect::Sendfile,
        "{name}: {end:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_serve_with_the_listener() {
    let site = site();
    let app = Router::new().fallback_service(site.files.clone());
    let address = serve(app, &site.metrics).await;
    check_all(&site, address, Expect::Sendfile, "listener").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_that_leave_the_body_alone() {
    let site = site();
    let app = Router::new()
        .fallback_service(site.files.clone())
        .layer(TraceLayer::new_for_http())
        .layer(TimeoutLayer::with_status_code(
            http::StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(60),
        ))
        .layer(MapResponseBodyLayer::new(|body: AxumBody| {
            AxumBody::new(body.map_frame(|frame| frame))
        }))
        .layer(CompressionLayer::new());
    let address = serve(app, &site.metrics).await;
    check_all(&site, address, Expect::Sendfile, "layers").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_listener() {
    let site = site();
    let address = serve_plain(Router::new().fallback_service(site.files.clone())).await;
    check_all(&site, address, Expect::Nothing, "plain").await;
}

/// Hyper then copies all bodies into one buffer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyper_with_pipeline_flush() {
    let site = site();
    let address = serve_http1(&site, |builder| {
        builder.pipeline_flush(true);
    })
    .await;
    check_all(&site, address, Expect::Nothing, "pipeline_flush").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyper_without_axum() {
    let site = site();
    let address = serve_http1(&site, |_| {}).await;
    check_all(&site, address, Expect::Sendfile, "hyper").await;
}

async fn serve_http1(
    site: &Site,
    configure: fn(&mut hyper::server::conn::http1::Builder),
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = hyper_util::service::TowerToHyperService::new(site.files.clone());
    let config = config(site);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let stream = TokioIo::new(ZeroCopyStream::with_config(socket, &config));
            let mut builder = hyper::server::conn::http1::Builder::new();
            configure(&mut builder);
            tokio::spawn(builder.serve_connection(stream, service.clone()));
        }
    });
    address
}

fn config(site: &Site) -> tower_zerocopy_fs::ZeroCopyConfig {
    let mut config = tower_zerocopy_fs::ZeroCopyConfig::default();
    config.metrics = Some(Arc::clone(&site.metrics));
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_response() {
    let site = site();
    let predicate = tower_http::compression::predicate::SizeAbove::new(0);
    let app = Router::new()
        .fallback_service(site.files.clone())
        .layer(CompressionLayer::new().compress_when(predicate));
    let address = serve(app, &site.metrics).await;
    // The largest is left out for the time an unoptimised compressor takes; 1 MiB is of the same tier at first.
    for (file, bytes) in site.contents.iter().filter(|(file, _)| *file != "16m") {
        for _ in 0..2 {
            let answer = fetch(address, &format!("/{file}"), &[("accept-encoding", "gzip")])
                .await
                .unwrap();
            assert_eq!(answer.header("content-encoding"), Some("gzip"), "{file}");
            let mut plain = Vec::new();
            std::io::Read::read_to_end(
                &mut flate2::read::GzDecoder::new(&answer.body[..]),
                &mut plain,
            )
            .unwrap();
            assert!(plain == *bytes, "{file}");
        }
    }
    let end = site.metrics.snapshot();
    assert_eq!(
        (end.sendfile_calls, end.windows_proven, end.windows_violated),
        (0, 0, 0)
    );
    assert!(end.windows_refused > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_0_with_and_without_keep_alive() {
    let site = site();
    let app = Router::new().fallback_service(site.files.clone());
    let address = serve(app, &site.metrics).await;
    for (file, bytes) in &site.contents {
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..2 {
            stream
                .write_all(&request(
                    "1.0",
                    &format!("/{file}"),
                    &[("connection", "keep-alive")],
                ))
                .await
                .unwrap();
            assert!(
                read_response(&mut stream).await.unwrap().body == *bytes,
                "{file}"
            );
        }
        stream
            .write_all(&request("1.0", &format!("/{file}"), &[]))
            .await
            .unwrap();
        assert!(
            read_response(&mut stream).await.unwrap().body == *bytes,
            "{file}"
        );
        assert_eq!(
            stream.read(&mut [0]).await.unwrap(),
            0,
            "{file}: the server closes"
        );
    }
    assert!(site.metrics.snapshot().windows_proven >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_pipelined_requests_of_all_kinds() {
    let site = site();
    let app = Router::new().fallback_service(site.files.clone());
    let address = serve(app, &site.metrics).await;
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let mut expected = Vec::new();
    let mut requests = Vec::new();
    for i in 0..40 {
        let (file, bytes) = &site.contents[(i * 5) % site.contents.len()];
        let path = format!("/{file}");
        if i % 3 == 1 && !bytes.is_empty() {
            let all = ranges(bytes.len());
            let (first, last) = all[i % all.len()];
            requests.extend(request(
                "1.1",
                &path,
                &[("range", &format!("bytes={first}-{last}"))],
            ));
            expected.push((i, *file, bytes[first..=last].to_vec()));
        } else {
            requests.extend(request("1.1", &path, &[]));
            expected.push((i, *file, bytes.clone()));
        }
    }
    let send = tokio::spawn(async move {
        writer.write_all(&requests).await.unwrap();
        writer
    });
    for (i, file, bytes) in expected {
        let answer = read_response(&mut reader).await.unwrap();
        assert!(
            answer.body == bytes,
            "request {i} for {file}: {} bytes of {}",
            answer.body.len(),
            bytes.len()
        );
    }
    drop(send.await.unwrap());
    let end = site.metrics.snapshot();
    assert!(
        end.windows_proven > 0 && end.windows_violated == 0,
        "{end:?}"
    );
}

/// A client that takes small sips through a small receive buffer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader() {
    let site = site();
    let app = Router::new().fallback_service(site.files.clone());
    let address = serve(app, &site.metrics).await;
    for file in ["1m", "1m", "16m"] {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream
            .write_all(&request(
                "1.1",
                &format!("/{file}"),
                &[("connection", "close")],
            ))
            .await
            .unwrap();
        let mut all = Vec::new();
        let mut sip = [0; 7000];
        loop {
            match stream.read(&mut sip).await.unwrap() {
                0 => break,
                n => all.extend_from_slice(&sip[..n]),
            }
            tokio::task::yield_now().await;
        }
        let (_, bytes) = site
            .contents
            .iter()
            .find(|(name, _)| *name == file)
            .unwrap();
        let start = all.len() - bytes.len();
        assert!(all[start..] == bytes[..], "{file}");
    }
    let end = site.metrics.snapshot();
    assert_eq!((end.windows_proven, end.windows_violated), (2, 0));
    assert!(end.sendfile_calls >= 72, "at most 256 KiB a call: {end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_in_the_clear() {
    let site = site();
    let app = Router::new().fallback_service(site.files.clone());
    let address = serve(app, &site.metrics).await;
    let socket = TcpStream::connect(address).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut requests = Vec::new();
    for (file, bytes) in &site.contents {
        for _ in 0..2 {
            let mut client = client.clone();
            let (uri, bytes) = (format!("http://localhost/{file}"), bytes.clone());
            requests.push(tokio::spawn(async move {
                let request = http::Request::get(&uri).body(AxumBody::empty()).unwrap();
                let response = client.send_request(request).await.unwrap();
                assert_eq!(response.status(), 200, "{uri}");
                assert!(
                    response.into_body().collect().await.unwrap().to_bytes() == bytes,
                    "{uri}"
                );
            }));
        }
    }
    for request in requests {
        request.await.unwrap();
    }
    let end = site.metrics.snapshot();
    assert_eq!(
        (end.sendfile_calls, end.windows_proven, end.windows_violated),
        (0, 0, 0),
        "{end:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_by_rustls_above_the_adapter() {
    let site = site();
    let (acceptor, connector) = tls();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = hyper_util::service::TowerToHyperService::new(site.files.clone());
    let config = config(&site);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let stream = acceptor
                .accept(ZeroCopyStream::with_config(socket, &config))
                .await
                .unwrap();
            let builder = hyper::server::conn::http1::Builder::new();
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service.clone()));
        }
    });
    let socket = TcpStream::connect(address).await.unwrap();
    let mut stream = connector
        .connect("localhost".try_into().unwrap(), socket)
        .await
        .unwrap();
    for (file, bytes) in &site.contents {
        for _ in 0..2 {
            stream
                .write_all(&request("1.1", &format!("/{file}"), &[]))
                .await
                .unwrap();
            // TLS may keep what it was given while tokio has the task give way.
            stream.flush().await.unwrap();
            assert!(
                read_response(&mut stream).await.unwrap().body == *bytes,
                "{file}"
            );
        }
    }
    let end = site.metrics.snapshot();
    assert_eq!(
        (end.sendfile_calls, end.windows_proven, end.windows_violated),
        (0, 0, 0),
        "{end:?}"
    );
    assert!(end.windows_refused > 0);
}
