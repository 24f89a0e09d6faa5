//! Files that are too large to be looked at in one piece. They are sparse, so that they cost no disk.
#![cfg(target_os = "linux")]

mod common;

use axum::Router;
use common::{Tree, content, counted, fetch, serve, ways::Way};

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

/// The digest of the bytes from `first` to `last` of a sparse file.
fn digest(first: u64, last: u64) -> Vec<u8> {
    static ZEROS: [u8; MIB] = [0; MIB];
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut at = first;
    while at <= last {
        let (piece, from) = (at / MIB as u64, (at % MIB as u64) as usize);
        let until = ((last + 1 - piece * MIB as u64) as usize).min(MIB);
        if piece % 16 == 0 {
            let mut bytes = ZEROS.to_vec();
            bytes[..4096].copy_from_slice(&sparse_block(piece));
            digest.update(&bytes[from..until]);
        } else {
            digest.update(&ZEROS[from..until]);
        }
        at += (until - from) as u64;
    }
    digest.finish().as_ref().to_vec()
}

/// 100 MiB and 1 GiB on every kind of connection, whole and in a large range, compared as they arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_large_files_on_every_kind_of_connection() {
    let tree = Tree::new();
    let (files, metrics) = counted(&tree);
    tree.file("small", "small");
    for mebibytes in [100, 1024] {
        sparse(&tree, &mebibytes.to_string(), mebibytes);
        let (len, path) = (mebibytes * MIB as u64, format!("/{mebibytes}"));
        let range = (len / 3, len / 3 * 2);
        let wanted = [
            (None, len, digest(0, len - 1)),
            (Some(range), range.1 - range.0 + 1, digest(range.0, range.1)),
        ];
        for way in Way::ALL {
            let mut client = way.open(files.clone(), &metrics).await;
            for (range, len, digest) in &wanted {
                let name = format!("{way:?} {mebibytes} MiB {range:?}");
                let before = metrics.snapshot().sendfile_bytes;
                let got = client.get(&path, *range).await;
                assert_eq!(got.len, *len, "{name}");
                assert!(got.sha256 == *digest, "{name}");
                client.get("/small", None).await;
                let sent = metrics.snapshot().sendfile_bytes - before;
                let sends = way.sends_files(*range);
                assert_eq!(sent, if sends { len - 4 * KIB as u64 } else { 0 }, "{name}");
            }
        }
    }
    assert_eq!(metrics.snapshot().windows_violated, 0);
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
