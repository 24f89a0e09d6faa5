//! Layers that look at the bytes passing by: they see true ones, or the response fails.
#![cfg(target_os = "linux")]

mod common;

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body};
use bytes::Bytes;
use common::{
    Tree, content, counted, fetch, fetch_and_settle, read_response, request, serve, sha256,
};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_zerocopy_fs::{ServeFiles, Windows};

const LEN: usize = 12 * 1024 * 1024 + 77;

/// Puts `look` before each frame of data, which is then forwarded as it is.
fn watched(
    files: ServeFiles,
    look: impl Fn(usize, &Bytes) + Clone + Send + Sync + 'static,
) -> Router {
    let layer = MapResponseBodyLayer::new(move |body: Body| {
        let look = look.clone();
        let mut count = 0;
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                look(count, data);
                count += 1;
            }
            frame
        }))
    });
    Router::new().fallback_service(files).layer(layer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_sees_true_bytes() {
    let (tree, bytes) = (Tree::new(), content(LEN));
    tree.file("f", &bytes);
    let (files, metrics) = counted(&tree);
    let digest = Arc::new(Mutex::new(ring::digest::Context::new(
        &ring::digest::SHA256,
    )));
    let seen = Arc::clone(&digest);
    let app = watched(files, move |_, data| seen.lock().unwrap().update(data));
    let address = serve(app, &metrics).await;
    assert!(fetch(address, "/f", &[]).await.unwrap().body == bytes);
    assert_eq!(
        digest.lock().unwrap().clone().finish().as_ref(),
        sha256(&bytes)
    );
    let end = metrics.snapshot();
    assert_eq!(
        (
            end.windows_proven,
            end.windows_refused,
            end.windows_violated
        ),
        (0, 1, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sniffer_of_the_first_bytes_is_found_out() {
    let (tree, bytes) = (Tree::new(), content(LEN));
    tree.file("f", &bytes);
    let (files, metrics) = counted(&tree);
    let sniffed = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sniffed);
    let app = watched(files, move |i, data| {
        if i == 0 {
            seen.lock().unwrap().extend_from_slice(&data[..4]);
        }
    });
    let address = serve(app, &metrics).await;
    assert!(fetch(address, "/f", &[]).await.unwrap().body == bytes);
    assert_eq!(sniffed.lock().unwrap()[..], bytes[..4]);
    let end = metrics.snapshot();
    assert_eq!(
        (
            end.windows_proven,
            end.windows_refused,
            end.windows_violated
        ),
        (0, 1, 0)
    );
}

/// A cache that keeps clones and reads them when the response is long gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_of_clones_is_found_out() {
    let (tree, bytes) = (Tree::new(), content(LEN));
    tree.file("f", &bytes);
    let (files, metrics) = counted(&tree);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let address = serve(
        watched(files, move |_, data| {
            keep.lock().unwrap().push(data.clone())
        }),
        &metrics,
    )
    .await;
    assert!(fetch(address, "/f", &[]).await.unwrap().body == bytes);
    assert!(kept.lock().unwrap().concat() == bytes);
    let end = metrics.snapshot();
    assert_eq!(
        (
            end.windows_proven,
            end.windows_refused,
            end.windows_violated
        ),
        (0, 1, 0)
    );
}

/// What the probe cannot foresee the audit stops: a layer that begins to read later, or keeps later bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_reader_fails_the_response_and_ends_the_windows() {
    for keep in [false, true] {
        for late in [1, 3, 6] {
            let (tree, bytes) = (Tree::new(), content(LEN));
            tree.file("f", &bytes);
            let (files, metrics) = counted(&tree);
            let kept = Arc::new(Mutex::new(Vec::new()));
            let app = watched(files, move |i, data| {
                if i == late && keep {
                    kept.lock().unwrap().push(data.clone());
                } else if i == late {
                    kept.lock()
                        .unwrap()
                        .push(Bytes::copy_from_slice(&data[data.len() - 1..]));
                }
            });
            let address = serve(app, &metrics).await;
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&request("1.1", "/f", &[])).await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            let head = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
            let body = &all[head..];
            assert!(
                body.len() < bytes.len(),
                "{late} {keep}: the response must be short"
            );
            assert!(
                bytes.starts_with(body),
                "{late} {keep}: what was delivered is right"
            );
            let end = metrics.snapshot();
            assert_eq!(
                (end.windows_proven, end.windows_violated),
                (1, 1),
                "{late} {keep}"
            );
            // From now on the service reads, and the layer sees true bytes.
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream
                .write_all(&request("1.1", "/f", &[("range", "bytes=1-")]))
                .await
                .unwrap();
            assert!(
                read_response(&mut stream).await.unwrap().body == bytes[1..],
                "{late} {keep}"
            );
            let after = metrics.snapshot();
            assert_eq!(
                (after.windows_proven, after.windows_violated),
                (1, 1),
                "{late} {keep}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_windows_nobody_ever_sees_one() {
    let (tree, bytes) = (Tree::new(), content(LEN));
    tree.file("f", &bytes);
    let (files, metrics) = counted(&tree);
    let address = serve(
        Router::new().fallback_service(files.windows(Windows::Off)),
        &metrics,
    )
    .await;
    assert!(fetch(address, "/f", &[]).await.unwrap().body == bytes);
    let end = metrics.snapshot();
    assert_eq!(
        (
            end.window_bytes,
            end.windows_proven,
            end.windows_refused,
            end.sendfile_calls
        ),
        (0, 0, 0, 0)
    );
    assert_eq!(end.read_bytes, LEN as u64);
}

/// Without windows the kernel sends no file that somebody could change: only sealed copies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_windows_only_sealed_copies_are_sent_by_the_kernel() {
    let (tree, bytes) = (Tree::new(), content(1 << 20));
    tree.file("sealed", &bytes);
    tree.file("heap", &bytes[..60_000]);
    let (files, metrics) = counted(&tree);
    let address = serve(
        Router::new().fallback_service(files.windows(Windows::Off)),
        &metrics,
    )
    .await;
    for (name, len, sent) in [
        ("heap", 60_000, 0),
        ("heap", 60_000, 0),
        ("sealed", 1 << 20, 0),
        ("sealed", 1 << 20, 1 << 20),
    ] {
        let before = metrics.snapshot().sendfile_bytes;
        let answer = fetch_and_settle(address, &format!("/{name}"), &[], "/none").await;
        assert!(answer.unwrap().body == bytes[..len], "{name}");
        assert_eq!(metrics.snapshot().sendfile_bytes - before, sent, "{name}");
    }
}
