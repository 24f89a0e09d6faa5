//! Files that change while a layer or TLS above the adapter is at work on them, in every tier.
#![cfg(target_os = "linux")]

mod common;

use std::{io::Read, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    serve::{Listener, ListenerExt},
};
use common::{
    Tree,
    change::{CHANGES, Change, check, connect, fetch_across},
    content, counted, get, tls,
};
use tokio::net::TcpListener;
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_zerocopy_fs::{Metrics, ServeFiles, Snapshot, ZeroCopyListener};

/// Enough for the changed sixth to be beyond all buffers, of which the largest is hyper's of 400 KiB.
const LEN: usize = 2 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tier {
    Heap,
    Sealed,
    /// Tried, and refused in favour of reads once somebody is seen to read.
    Windows,
    Reads,
}

impl Tier {
    const ALL: [Self; 4] = [Self::Heap, Self::Sealed, Self::Windows, Self::Reads];

    /// The service with the file in this tier and in no other.
    async fn prepare(self, files: ServeFiles, bytes: &[u8]) -> ServeFiles {
        let len = LEN as u64;
        let (heap, sealed) = match self {
            Self::Heap => (len, 0),
            Self::Sealed => (0, len),
            Self::Windows | Self::Reads => (0, 0),
        };
        let windows = match self {
            Self::Reads => tower_zerocopy_fs::Windows::Off,
            _ => tower_zerocopy_fs::Windows::Proven,
        };
        let files = files
            .heap_cache(heap, heap)
            .sealed_cache(sealed, sealed)
            .windows(windows)
            .revalidate_after(Duration::from_secs(3600));
        for _ in 0..2 {
            assert!(get(files.clone(), "/f", &[]).await.body == bytes);
        }
        files
    }

    /// Copies in memory are of the old version to their last byte.
    fn outlives(self, change: Change) -> bool {
        matches!(self, Self::Heap | Self::Sealed) || change.leaves_the_open_file_alone()
    }

    /// That what was counted since `before` is one response of this tier.
    fn check_counters(self, before: Snapshot, metrics: &Metrics, name: &str) {
        let now = metrics.snapshot();
        assert_eq!(now.windows_proven, 0, "{name}");
        assert_eq!(now.sendfile_calls, 0, "{name}");
        let refused = now.windows_refused - before.windows_refused;
        assert_eq!(refused, u64::from(self == Self::Windows), "{name}");
        let heap = now.heap_bytes > before.heap_bytes;
        let sealed = now.sealed_bytes > before.sealed_bytes;
        assert_eq!(heap, self == Self::Heap, "{name}");
        assert_eq!(
            sealed,
            matches!(self, Self::Sealed | Self::Windows),
            "{name}"
        );
    }
}

/// A listener whose sockets hold little, so that the server cannot have read far ahead.
async fn listen(metrics: &Arc<Metrics>) -> (impl Listener<Addr = SocketAddr>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = listener.tap_io(|socket| {
        rustix::net::sockopt::set_socket_send_buffer_size(socket, 32 * 1024).unwrap();
    });
    let listener = ZeroCopyListener::new(listener).metrics(Arc::clone(metrics));
    (listener, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_compression() {
    let bytes = content(LEN);
    for tier in Tier::ALL {
        for change in CHANGES {
            let name = format!("{tier:?} {change:?}");
            let tree = Tree::new();
            let path = tree.file("f", &bytes);
            let (files, metrics) = counted(&tree);
            let files = tier.prepare(files, &bytes).await;
            let before = metrics.snapshot();
            let (listener, address) = listen(&metrics).await;
            let layer = CompressionLayer::new().quality(CompressionLevel::Fastest);
            let app = Router::new().fallback_service(files).layer(layer);
            tokio::spawn(axum::serve(listener, app).into_future());
            let mut stream = connect(address).await;
            let (head, body, _) = fetch_across(&mut stream, &path, change).await;
            assert!(head.contains("content-encoding: gzip"), "{name}: {head}");
            let (compressed, complete) = unchunk(&body);
            let mut plain = Vec::new();
            // An error is how a stream that is cut off ends.
            let end = flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut plain);
            assert_eq!(complete, tier.outlives(change), "{name}");
            assert_eq!(end.is_ok(), complete, "{name}");
            assert!(
                bytes.starts_with(&plain),
                "{name}: bytes of another version"
            );
            assert!(!complete || plain.len() == LEN, "{name}");
            tier.check_counters(before, &metrics, &name);
        }
    }
}

/// The content of a chunked body, and whether its last chunk came.
fn unchunk(mut body: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Some(end) = body.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body = &body[end + 2..];
        if size == 0 {
            return (content, true);
        }
        content.extend_from_slice(&body[..size.min(body.len())]);
        body = body.get(size + 2..).unwrap_or_default();
    }
    (content, false)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tls() {
    let (acceptor, connector) = tls();
    let bytes = content(LEN);
    for tier in Tier::ALL {
        for change in CHANGES {
            let name = format!("{tier:?} {change:?}");
            let tree = Tree::new();
            let path = tree.file("f", &bytes);
            let (files, metrics) = counted(&tree);
            let files = tier.prepare(files, &bytes).await;
            let before = metrics.snapshot();
            let service = hyper_util::service::TowerToHyperService::new(files);
            let (mut listener, address) = listen(&metrics).await;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await;
                let stream = acceptor.accept(stream).await.unwrap();
                let stream = hyper_util::rt::TokioIo::new(stream);
                // An error is what some of the changes ask for; the client sees it as a short body.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(stream, service)
                    .await;
            });
            let socket = connect(address).await;
            let localhost = "localhost".try_into().unwrap();
            let mut stream = connector.connect(localhost, socket).await.unwrap();
            let (_, body, _) = fetch_across(&mut stream, &path, change).await;
            if tier.outlives(change) {
                assert!(body == bytes, "{name}: {} bytes of {LEN}", body.len());
            } else {
                check(&name, change, &body, &bytes);
            }
            tier.check_counters(before, &metrics, &name);
        }
    }
}
