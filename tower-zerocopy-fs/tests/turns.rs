//! A cold page cache, and turns between connections.
#![cfg(target_os = "linux")]

mod common;

use std::{
    io::{IoSliceMut, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::Router;
use common::{Tree, content, counted, fetch, request, serve, serve_plain};

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
