//! Every byte arrives on every kind of connection, and `sendfile(2)` is used exactly where it can be.
#![cfg(target_os = "linux")]

mod common;

use std::sync::Arc;

use axum::Router;
use common::{Tree, content, counted, read_response, request, serve, sha256, ways::Way};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_zerocopy_fs::{Metrics, ServeFiles};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

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

/// First and last byte of what is asked for of a file of `len` bytes.
fn ranges(len: usize) -> Vec<(usize, usize)> {
    let Some(last) = len.checked_sub(1) else {
        return Vec::new();
    };
    let mut all = vec![(0, 0), (last, last), (0, last), (len / 3, len / 2)];
    if len > 100 {
        all.extend([(5, 69_999.min(last)), (len - 99, last), (1, last - 1)]);
    }
    all
}

/// Fetches each file three times whole and then in each range, and checks every digest and every byte counted.
async fn check_all(way: Way) {
    let site = site();
    let mut client = way.open(site.files.clone(), &site.metrics).await;
    for (file, bytes) in &site.contents {
        let path = format!("/{file}");
        let whole = [None, None, None];
        let asked = whole
            .into_iter()
            .chain(ranges(bytes.len()).into_iter().map(Some));
        for (request, range) in asked.enumerate() {
            let name = format!("{way:?} {file} request {request} {range:?}");
            let wanted = match range {
                None => &bytes[..],
                Some((first, last)) => &bytes[first..=last],
            };
            let range = range.map(|(first, last)| (first as u64, last as u64));
            let before = site.metrics.snapshot().sendfile_bytes;
            let got = client.get(&path, range).await;
            assert_eq!(
                got.status,
                if range.is_some() { 206 } else { 200 },
                "{name}"
            );
            assert_eq!(got.len, wanted.len() as u64, "{name}");
            assert!(got.sha256 == sha256(wanted), "{name}");
            assert_eq!(
                got.content_range,
                range.map(|(first, last)| format!("bytes {first}-{last}/{}", bytes.len())),
                "{name}"
            );
            // Once this has come too, everything about the response before has been counted.
            client.get("/1", None).await;
            let sent = site.metrics.snapshot().sendfile_bytes - before;
            let expected = if way.sends_files(range) {
                by_sendfile(bytes.len(), wanted.len(), request)
            } else {
                0
            };
            assert_eq!(sent, expected as u64, "{name}: bytes by sendfile");
        }
    }
    let end = site.metrics.snapshot();
    assert_eq!(end.windows_violated, 0, "{way:?}");
    let sends = way.sends_files(Some((0, 0)));
    assert_eq!(end.windows_proven > 0, sends, "{way:?}: {end:?}");
    assert_eq!(end.sendfile_calls > 0, sends, "{way:?}: {end:?}");
    if sends {
        let least = end.sendfile_bytes / (256 * KIB as u64);
        assert!(
            end.sendfile_calls >= least,
            "at most 256 KiB a call: {end:?}"
        );
    } else if way != Way::Plain {
        assert!(end.windows_refused > 0, "{way:?}: {end:?}");
    }
}

/// How many of the `wanted` bytes of a file of `len` the kernel is to send, by the file's tier at its n-th request.
fn by_sendfile(len: usize, wanted: usize, request: usize) -> usize {
    if len <= 64 * KIB || (len <= MIB && request > 0) {
        // In memory for all who look, and in the page cache for the kernel; small pieces share a write with the header.
        if wanted < 16 * KIB { 0 } else { wanted }
    } else if wanted < 512 * KIB {
        0
    } else {
        // All but the tail, which is read.
        wanted - 4 * KIB
    }
}

macro_rules! ways {
    ($($name:ident: $way:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                check_all(Way::$way).await;
            }
        )+
    };
}

ways! {
    axum_serve_with_the_listener: Listener,
    http_1_0_kept_alive: Http10,
    a_slow_reader: SlowReader,
    layers_that_leave_the_body_alone: Layers,
    hyper_without_axum: Hyper,
    hyper_with_pipeline_flush: PipelineFlush,
    a_plain_listener: Plain,
    http_2_in_the_clear: Http2,
    tls_by_rustls_above_the_adapter: Tls,
    a_compressed_response: Compression,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_0_without_keep_alive_is_closed() {
    let site = site();
    let app = Router::new().fallback_service(site.files.clone());
    let address = serve(app, &site.metrics).await;
    for (file, bytes) in &site.contents {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = request("1.0", &format!("/{file}"), &[]);
        stream.write_all(&request).await.unwrap();
        let answer = read_response(&mut stream).await.unwrap();
        assert!(answer.body == *bytes, "{file}");
        let rest = stream.read(&mut [0]).await.unwrap();
        assert_eq!(rest, 0, "{file}: the server closes");
    }
    assert!(site.metrics.snapshot().windows_proven >= 1);
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
