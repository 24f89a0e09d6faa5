//! A cold page cache, turns between connections, and their limit.
#![cfg(target_os = "linux")]

mod common;

use std::{
    io::{IoSliceMut, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use common::{Tree, content, counted, fetch, request, serve, serve_plain};
use tower_zerocopy_fs::ZeroCopyListener;

const LEN: usize = 12 * 1024 * 1024;

/// With its pages dropped, a file is read on the blocking pool, and only until it is cached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_file_is_filled_off_the_reactor() {
    let (tree, bytes) = (Tree::new(), content(LEN));
    let path = tree.file("f", &bytes);
    let file = std::fs::File::open(&path).unwrap();
    file.sync_all().unwrap();
    let (files, metrics) = counted(&tree);
    let files = files.sealed_cache(0, 0);
    let address = serve(Router::new().fallback_service(files), &metrics).await;
    for round in ["first", "second"] {
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let cold = !in_memory(&file, LEN / 2);
        let before = metrics.snapshot().cold_fills;
        assert!(
            fetch(address, "/f", &[]).await.unwrap().body == bytes,
            "{round}"
        );
        let fills = metrics.snapshot().cold_fills - before;
        if cold {
            assert!(fills > 0, "{round}: a cold file was read on the reactor");
        } else {
            eprintln!("{round}: this file system, one in memory perhaps, dropped no pages");
        }
    }
    // Under memory pressure the kernel may take pages back: only a file that stayed in memory tells anything.
    for _ in 0..100 {
        let before = metrics.snapshot().cold_fills;
        let warm = all_in_memory(&file);
        assert!(fetch(address, "/f", &[]).await.unwrap().body == bytes);
        if warm && all_in_memory(&file) {
            let fills = metrics.snapshot().cold_fills - before;
            assert_eq!(fills, 0, "a warm file needs no fill");
            return;
        }
    }
    panic!("12 MiB did not stay in the page cache for the time of one request");
}

fn in_memory(file: &std::fs::File, offset: usize) -> bool {
    let (byte, flags) = (&mut [0], rustix::io::ReadWriteFlags::NOWAIT);
    rustix::io::preadv2(file, &mut [IoSliceMut::new(byte)], offset as u64, flags).is_ok()
}

fn all_in_memory(file: &std::fs::File) -> bool {
    (0..LEN).step_by(4096).all(|offset| in_memory(file, offset))
}

/// One worker: a small request overtakes a large download that is under way, because whoever has sent 256 KiB gives
/// way: the adapter, and without one the body.
#[tokio::test]
async fn a_download_gives_way_every_256_kib() {
    let (tree, bytes) = (Tree::new(), content(LEN));
    tree.file("f", &bytes);
    tree.file("small", "small");
    for plain in [false, true] {
        let (files, metrics) = counted(&tree);
        let app = Router::new().fallback_service(files);
        let address = match plain {
            false => serve(app, &metrics).await,
            true => serve_plain(app).await,
        };
        let rounds = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&rounds);
        let other = tokio::spawn(async move {
            loop {
                seen.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        // A thread of its own reads as fast as it can, so that the socket is never full for long.
        let download = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream
                .write_all(&request("1.1", "/f", &[("connection", "close")]))
                .unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            all
        });
        let small = fetch(address, "/small", &[]).await.unwrap();
        assert_eq!(small.text(), "small");
        assert!(download.await.unwrap().ends_with(&bytes), "plain: {plain}");
        other.abort();
        let (turns, rounds) = ((LEN / (256 * 1024)) as u64, rounds.load(Ordering::Relaxed));
        assert!(
            rounds >= turns,
            "plain: {plain}: {rounds} rounds in {turns} turns"
        );
        let yields = metrics.snapshot().yields;
        assert!(yields >= turns / 2, "plain: {plain}: {yields} of {turns}");
    }
}

/// By a clock that stands still unless somebody waits for it: what is sent written and what the kernel sends count alike.
#[tokio::test(start_paused = true)]
async fn a_connection_sends_no_more_than_its_limit() {
    const RATE: usize = 128 * 1024;
    let (tree, bytes) = (Tree::new(), content(8 * RATE));
    tree.file("f", &bytes);
    for plain in [false, true] {
        let (files, metrics) = counted(&tree);
        let files = match plain {
            false => files,
            true => files.windows(tower_zerocopy_fs::Windows::Off),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = ZeroCopyListener::new(listener)
            .metrics(Arc::clone(&metrics))
            .bytes_per_second(RATE as u64);
        tokio::spawn(axum::serve(listener, Router::new().fallback_service(files)).into_future());
        let start = tokio::time::Instant::now();
        assert!(fetch(address, "/f", &[]).await.unwrap().body == bytes);
        let took = start.elapsed();
        // Less the burst of a quarter of a second, and what the client need not wait for at the end.
        assert!(
            took >= Duration::from_millis(7_500),
            "plain: {plain}: {took:?}"
        );
        assert_eq!(metrics.snapshot().sendfile_bytes > 0, !plain);
    }
}
