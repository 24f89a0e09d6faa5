//! Files that change while they are sent: a response is of one version, or it is visibly short.
#![cfg(target_os = "linux")]

mod common;

use std::{io, path::Path, sync::Arc, time::Duration};

use axum::Router;
use common::{Tree, content, counted, date, example_date, get, request, serve, serve_plain};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tower_http::compression::CompressionLayer;
use tower_zerocopy_fs::{ServeFiles, ZeroCopyStream};

const MIB: usize = 1024 * 1024;
const LEN: usize = 24 * MIB;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Truncated,
    Emptied,
    WrittenOver,
    Replaced,
    Deleted,
}

const CHANGES: [Change; 5] = [
    Change::Truncated,
    Change::Emptied,
    Change::WrittenOver,
    Change::Replaced,
    Change::Deleted,
];

impl Change {
    fn apply(self, path: &Path) {
        match self {
            // Beyond what the socket's buffers can have swallowed.
            Self::Truncated => std::fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(20 * MIB as u64)
                .unwrap(),
            Self::Emptied => drop(std::fs::File::create(path).unwrap()),
            Self::WrittenOver => {
                use std::os::unix::fs::FileExt;
                let file = std::fs::File::options().write(true).open(path).unwrap();
                file.write_all_at(&vec![b'!'; 4 * MIB], 20 * MIB as u64)
                    .unwrap();
            }
            Self::Replaced => {
                let other = path.with_extension("new");
                std::fs::write(&other, vec![b'!'; LEN]).unwrap();
                std::fs::rename(other, path).unwrap();
            }
            Self::Deleted => std::fs::remove_file(path).unwrap(),
        }
    }

    /// An open file outlives its name.
    fn leaves_the_open_file_alone(self) -> bool {
        matches!(self, Self::Replaced | Self::Deleted)
    }
}

async fn connect(address: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.connect(address).await.unwrap()
}

/// Reads the head and the first bytes of the body, changes the file, and returns the body read until the end.
async fn fetch_across<S>(
    stream: &mut S,
    path: &Path,
    change: Change,
) -> (String, Vec<u8>, io::Result<()>)
where
    S: AsyncRead + AsyncWriteExt + Unpin,
{
    let fields = [("connection", "close"), ("accept-encoding", "gzip")];
    stream
        .write_all(&request("1.1", "/f", &fields))
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let mut body = vec![0; 100_000];
    stream.read_exact(&mut body).await.unwrap();
    change.apply(path);
    let end = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut body)).await;
    let end = end
        .unwrap_or_else(|_| panic!("{change:?}: the response hangs"))
        .map(drop);
    (String::from_utf8(head).unwrap(), body, end)
}

fn check(tier: &str, change: Change, body: &[u8], bytes: &[u8]) {
    if change.leaves_the_open_file_alone() {
        assert!(
            body == bytes,
            "{tier} {change:?}: {} bytes of {}",
            body.len(),
            bytes.len()
        );
    } else {
        assert!(
            body.len() < bytes.len(),
            "{tier} {change:?}: the response must be short"
        );
        assert!(
            bytes.starts_with(body),
            "{tier} {change:?}: bytes of another version in {}",
            body.len()
        );
    }
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_compression() {
    let bytes = content(LEN);
    for change in [Change::Truncated, Change::Emptied] {
        let tree = Tree::new();
        let path = tree.file("f", &bytes);
        let (files, metrics) = counted(&tree);
        let level = CompressionLayer::new().quality(tower_http::CompressionLevel::Fastest);
        let address = serve(Router::new().fallback_service(files).layer(level), &metrics).await;
        let (head, body, _) = fetch_across(&mut connect(address).await, &path, change).await;
        assert!(head.to_ascii_lowercase().contains("content-encoding: gzip"));
        assert!(
            !body.ends_with(b"0\r\n\r\n"),
            "{change:?}: the last chunk must not come"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tls() {
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore, ServerConfig, pki_types::PrivateKeyDer,
    };
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));

    let bytes = content(LEN);
    for change in CHANGES {
        let tree = Tree::new();
        let path = tree.file("f", &bytes);
        let service = hyper_util::service::TowerToHyperService::new(ServeFiles::new(tree.path()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(ZeroCopyStream::new(socket)).await.unwrap();
            let stream = hyper_util::rt::TokioIo::new(stream);
            // An error is what some of the changes ask for; the client sees it as a short body.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(stream, service)
                .await;
        });
        let socket = connect(address).await;
        let mut stream = connector
            .connect("localhost".try_into().unwrap(), socket)
            .await
            .unwrap();
        let (_, body, _) = fetch_across(&mut stream, &path, change).await;
        check("tls", change, &body, &bytes);
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
