//! The adapter among other wrappers of listeners and streams.
#![cfg(target_os = "linux")]

mod common;

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    Router,
    serve::{Listener, ListenerExt},
};
use common::{Tree, content, counted, fetch_and_settle, read_response, request};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tower_zerocopy_fs::{Metrics, ServeFiles, ZeroCopyListener};

const LEN: usize = 12 * 1024 * 1024;

/// Whether a wrapper passes slices on as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slices {
    Forwarded,
    /// What `AsyncWrite` does by default: one slice a call, and the writer is told so.
    OneByOne,
}

/// A wrapper of any listener, as a crate has it that knows nothing of this one.
struct Counting<L> {
    inner: L,
    slices: Slices,
    written: Arc<AtomicU64>,
}

impl<L: Listener> Listener for Counting<L> {
    type Io = CountingStream<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (inner, address) = self.inner.accept().await;
        let stream = CountingStream {
            inner,
            slices: self.slices,
            written: Arc::clone(&self.written),
        };
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

struct CountingStream<S> {
    inner: S,
    slices: Slices,
    written: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for CountingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountingStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.written.fetch_add(n as u64, Ordering::Relaxed);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.written.fetch_add(n as u64, Ordering::Relaxed);
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.slices == Slices::Forwarded && self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

struct Site {
    _tree: Tree,
    bytes: Vec<u8>,
    files: ServeFiles,
    metrics: Arc<Metrics>,
}

fn site() -> Site {
    let (tree, bytes) = (Tree::new(), content(LEN));
    tree.file("f", &bytes);
    tree.file("small", "small");
    let (files, metrics) = counted(&tree);
    Site {
        _tree: tree,
        bytes,
        files,
        metrics,
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Wrappers belong around the adapter: they see every byte that is sent, and the kernel still sends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrappers_outside_see_what_the_kernel_sends() {
    for (slices, sendfile) in [(Slices::Forwarded, LEN - 4096), (Slices::OneByOne, 0)] {
        let site = site();
        let (listener, address) = bind().await;
        let written = Arc::new(AtomicU64::new(0));
        let listener = Counting {
            inner: Counting {
                inner: ZeroCopyListener::new(listener).metrics(Arc::clone(&site.metrics)),
                slices: Slices::Forwarded,
                written: Arc::default(),
            },
            slices,
            written: Arc::clone(&written),
        };
        let app = Router::new().fallback_service(site.files);
        tokio::spawn(axum::serve(listener, app).into_future());
        let answer = fetch_and_settle(address, "/f", &[], "/small").await;
        assert!(answer.unwrap().body == site.bytes, "{slices:?}");
        let counted = site.metrics.snapshot();
        assert_eq!(counted.sendfile_bytes, sendfile as u64, "{slices:?}");
        assert_eq!(
            written.load(Ordering::Relaxed),
            counted.sendfile_bytes + counted.written_bytes,
            "{slices:?}"
        );
        assert!(counted.written_bytes + counted.sendfile_bytes > LEN as u64);
    }
}

/// Below the adapter there may be whatever hands out bare sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_of_sockets_go_below() {
    let site = site();
    let (listener, address) = bind().await;
    let listener = listener.tap_io(|socket| socket.set_nodelay(true).unwrap());
    let listener = ZeroCopyListener::new(listener).metrics(Arc::clone(&site.metrics));
    // And what wants the socket finds it through the adapter.
    let listener = listener.tap_io(|stream| {
        assert!(rustix::net::sockopt::tcp_nodelay(stream.as_fd()).unwrap());
    });
    tokio::spawn(axum::serve(listener, Router::new().fallback_service(site.files)).into_future());
    let answer = fetch_and_settle(address, "/f", &[], "/small").await;
    assert!(answer.unwrap().body == site.bytes);
    assert_eq!(site.metrics.snapshot().sendfile_bytes, (LEN - 4096) as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connect_info_goes_through_an_empty_tap() {
    use axum::{extract::ConnectInfo, routing::get};
    let app = Router::new()
        .route(
            "/",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
        )
        .into_make_service_with_connect_info::<SocketAddr>();
    let (listener, address) = bind().await;
    let listener = ZeroCopyListener::new(listener).tap_io(|_| {});
    tokio::spawn(axum::serve(listener, app).into_future());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request("1.1", "/", &[])).await.unwrap();
    let answer = read_response(&mut stream).await.unwrap();
    assert_eq!(answer.text(), stream.local_addr().unwrap().to_string());
}
