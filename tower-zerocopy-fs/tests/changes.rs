//! Files that change while they are sent: a response is of one version, or it is visibly short.
#![cfg(target_os = "linux")]

mod common;

use std::time::Duration;

use axum::Router;
use common::{
    Tree,
    change::{CHANGES, check, connect, fetch_across},
    content, counted, date, example_date, get, serve, serve_plain,
};
use tower_zerocopy_fs::ServeFiles;

const LEN: usize = 24 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows() {
    let bytes = content(LEN);
    for change in CHANGES {
        let tree = Tree::new();
        let path = tree.file("f", &bytes);
        let (files, metrics) = counted(&tree);
        let address = serve(Router::new().fallback_service(files), &metrics).await;
        let (_, body, _) = fetch_across(&mut connect(address).await, &path, change).await;
        check("windows", change, &body, &bytes);
        assert_eq!(metrics.snapshot().windows_proven, 1, "{change:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads() {
    let bytes = content(LEN);
    for change in CHANGES {
        let tree = Tree::new();
        let path = tree.file("f", &bytes);
        let address =
            serve_plain(Router::new().fallback_service(ServeFiles::new(tree.path()))).await;
        let (_, body, _) = fetch_across(&mut connect(address).await, &path, change).await;
        check("reads", change, &body, &bytes);
    }
}

/// What is in memory is of the old version to its last byte, whatever happens to the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_and_heap() {
    let bytes = content(LEN);
    for change in CHANGES {
        for (tier, heap, sealed) in [("sealed", 0, LEN as u64), ("heap", LEN as u64, 0)] {
            let tree = Tree::new();
            let path = tree.file("f", &bytes);
            let (files, metrics) = counted(&tree);
            let files = files
                .heap_cache(heap, heap)
                .sealed_cache(sealed, sealed)
                .revalidate_after(Duration::from_secs(3600));
            for _ in 0..2 {
                assert!(get(files.clone(), "/f", &[]).await.body == bytes);
            }
            let address = serve(Router::new().fallback_service(files), &metrics).await;
            let (_, body, _) = fetch_across(&mut connect(address).await, &path, change).await;
            assert!(body == bytes, "{tier} {change:?}");
        }
    }
}

/// The open-file cache believes a name for its period and no longer.
#[tokio::test]
async fn names_are_looked_at_again() {
    let tree = Tree::new();
    let path = tree.file("f", "one");
    let (files, metrics) = counted(&tree);
    let always = files.clone().revalidate_after(Duration::ZERO);
    let never = files.revalidate_after(Duration::from_secs(3600));
    for files in [&always, &never] {
        assert_eq!(get(files.clone(), "/f", &[]).await.text(), "one");
        assert_eq!(get(files.clone(), "/later", &[]).await.status, 404);
    }
    std::fs::write(&path, "two").unwrap();
    date(&path, example_date() + Duration::from_secs(1));
    tree.file("later", "new");
    assert_eq!(get(always.clone(), "/f", &[]).await.text(), "two");
    assert_eq!(get(always.clone(), "/later", &[]).await.text(), "new");
    assert_eq!(get(never.clone(), "/f", &[]).await.text(), "one");
    assert_eq!(
        get(never.clone(), "/later", &[]).await.status,
        404,
        "absence is remembered too"
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(get(always, "/f", &[]).await.status, 404);
    let counted = metrics.snapshot();
    assert_eq!(
        (
            counted.cache_misses,
            counted.cache_hits,
            counted.cache_revalidations
        ),
        (4, 2, 3)
    );
}
