//! Files that are too large to be looked at in one piece. They are sparse, so that they cost no disk.
#![cfg(target_os = "linux")]

mod common;

use axum::Router;
use common::{Tree, content, counted, fetch, request, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A file with a block of content every 16 MiB and holes between, so that its size costs nothing.
fn sparse(tree: &Tree, name: &str, mebibytes: u64) -> std::path::PathBuf {
    use std::os::unix::fs::FileExt;
    let path = tree.path().join(name);
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(mebibytes * MIB as u64).unwrap();
    for at in (0..mebibytes).step_by(16) {
        file.write_all_at(&sparse_block(at), at * MIB as u64)
            .unwrap();
    }
    common::date(&path, common::example_date());
    path
}

/// What is in a sparse file at that mebibyte.
fn sparse_block(at: u64) -> Vec<u8> {
    let mut block = content(4096);
    block[..8].copy_from_slice(&at.to_le_bytes());
    block
}

/// 100 MiB and 1 GiB, compared as they arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_large_files() {
    let tree = Tree::new();
    let (files, metrics) = counted(&tree);
    let address = serve(Router::new().fallback_service(files), &metrics).await;
    for mebibytes in [100, 1024] {
        sparse(&tree, &mebibytes.to_string(), mebibytes);
        let mut expected = ring::digest::Context::new(&ring::digest::SHA256);
        let mut piece = vec![0; MIB];
        for at in 0..mebibytes {
            let block = if at % 16 == 0 {
                sparse_block(at)
            } else {
                vec![0; 4096]
            };
            piece[..4096].copy_from_slice(&block);
            expected.update(&piece);
        }
        let before = metrics.snapshot();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let path = format!("/{mebibytes}");
        stream
            .write_all(&request("1.1", &path, &[("connection", "close")]))
            .await
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let mut received = 0;
        loop {
            let n = stream.read(&mut piece).await.unwrap();
            if n == 0 {
                break;
            }
            digest.update(&piece[..n]);
            received += n as u64;
        }
        assert_eq!(received, mebibytes * MIB as u64);
        assert_eq!(
            digest.finish().as_ref(),
            expected.finish().as_ref(),
            "{mebibytes} MiB"
        );
        let sent = metrics.snapshot().sendfile_bytes - before.sendfile_bytes;
        assert_eq!(sent, received - 4 * KIB as u64, "{mebibytes} MiB");
    }
}

/// Offsets and lengths that need more than 32 bits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_beyond_four_gibibytes() {
    let tree = Tree::new();
    let (files, metrics) = counted(&tree);
    let len = 6 * 1024 * MIB as u64;
    sparse(&tree, "f", len / MIB as u64);
    let address = serve(Router::new().fallback_service(files), &metrics).await;
    let four = 1u64 << 32;
    for (range, first, size) in [
        (format!("bytes={four}-{}", four + 4095), four, 4096),
        (
            format!("bytes={}-{}", four - 1, four + 4095),
            four - 1,
            4097,
        ),
        // As long as windows are worth it, and across the bound.
        (
            format!("bytes={}-{}", four - MIB as u64, four + 4095),
            four - MIB as u64,
            MIB + 4096,
        ),
        (
            format!("bytes={}-", len - 16 * MIB as u64),
            len - 16 * MIB as u64,
            16 * MIB,
        ),
        ("bytes=-1".to_owned(), len - 1, 1),
    ] {
        let answer = fetch(address, "/f", &[("range", &range)]).await.unwrap();
        assert_eq!(answer.status, 206, "{range}");
        let last = first + size as u64 - 1;
        let expected = format!("bytes {first}-{last}/{len}");
        assert_eq!(answer.header("content-range"), Some(&*expected), "{range}");
        let mut bytes = vec![0; size];
        for at in (first / MIB as u64..=last / MIB as u64).filter(|at| at % 16 == 0) {
            let block = sparse_block(at);
            for (i, byte) in block.into_iter().enumerate() {
                let offset = at * MIB as u64 + i as u64;
                if (first..=last).contains(&offset) {
                    bytes[(offset - first) as usize] = byte;
                }
            }
        }
        assert!(answer.body == bytes, "{range}");
    }
    assert!(metrics.snapshot().windows_proven >= 2);
    let huge = fetch(address, "/f", &[("range", &format!("bytes={len}-"))]).await;
    assert_eq!(huge.unwrap().status, 416);
}
