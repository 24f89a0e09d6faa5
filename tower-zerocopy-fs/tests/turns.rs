//! A cold page cache, and turns between connections.
#![cfg(target_os = "linux")]

mod common;

use std::io::IoSliceMut;

use axum::Router;
use common::{Tree, content, counted, fetch, read_response, request, serve};
use tokio::{io::AsyncWriteExt, net::TcpStream};

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

/// One worker: a small request overtakes a large download that is under way, because the connection gives way.
#[tokio::test]
async fn a_download_gives_way_every_256_kib() {
    let (tree, bytes) = (Tree::new(), content(LEN));
    tree.file("f", &bytes);
    tree.file("small", "small");
    let (files, metrics) = counted(&tree);
    let address = serve(Router::new().fallback_service(files), &metrics).await;
    let mut download = TcpStream::connect(address).await.unwrap();
    download
        .write_all(&request("1.1", "/f", &[]))
        .await
        .unwrap();
    let small = fetch(address, "/small", &[]).await.unwrap();
    assert_eq!(small.text(), "small");
    assert!(read_response(&mut download).await.unwrap().body == bytes);
    let yields = metrics.snapshot().yields;
    assert!(yields >= (LEN / (512 * 1024)) as u64, "{yields}");
}
