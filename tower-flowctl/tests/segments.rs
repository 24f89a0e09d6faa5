//! When a socket is corked (while the rest of what was granted follows at once, and never beyond what hyper writes), and when it
//! waits for no acknowledgement.
#![cfg(all(feature = "serve", target_os = "linux"))]
#![forbid(unsafe_code)]

mod raw;

use std::{
    convert::Infallible,
    future::poll_fn,
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use axum::{Router, body::Body, http::Response, serve::Listener};
use futures_util::StreamExt;
use http_body::Body as _;
use http_body_util::{BodyExt, StreamBody};
use raw::{Block, Frame, Peer, app, flag, frame, get_block, kind};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tower_flowctl::{
    http2::{PriorityLayer, PriorityListener},
    serve::Exec,
};

/// What was asked of a socket, whether it was corked then, and whether it had `TCP_NODELAY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Write { bytes: usize, corked: bool },
    Read { corked: bool, prompt: bool },
}

/// As it is left between responses.
const AT_REST: Call = Call::Read {
    corked: false,
    prompt: false,
};

type Calls = Arc<Mutex<Vec<Call>>>;

/// A socket that writes down what is asked of it.
struct Watched {
    socket: TcpStream,
    calls: Calls,
}

impl Watched {
    fn corked(&self) -> bool {
        SockRef::from(&self.socket).tcp_cork().unwrap()
    }

    fn note(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let corked = self.corked();
        let prompt = self.socket.nodelay()?;
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        self.note(Call::Read { corked, prompt });
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let corked = self.corked();
        let bytes = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, slices))?;
        self.note(Call::Write { bytes, corked });
        Poll::Ready(Ok(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

struct Watching {
    inner: TcpListener,
    calls: Calls,
}

impl Listener for Watching {
    type Io = Watched;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Watched, SocketAddr) {
        let (socket, address) = self.inner.accept().await.unwrap();
        let calls = self.calls.clone();
        (Watched { socket, calls }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// Serves in all ways there are, or in the one in which the application is further out than the layer.
#[derive(Clone, Copy, Debug)]
enum Way {
    Serve(Exec),
    Layered,
    /// Bodies are cut by a layer further out.
    Cut,
}

async fn start(way: Way) -> (Peer<TcpStream>, Calls) {
    let calls = Calls::default();
    let listener = Watching {
        inner: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        calls: calls.clone(),
    };
    let address = listener.local_addr().unwrap();
    let app: Router = app();
    tokio::spawn(async move {
        if let Way::Serve(exec) = way {
            let server = tower_flowctl::serve(listener, app).exec(exec);
            server.socket(Watched::socket).run().await;
            return;
        }
        let mut app = app.layer(PriorityLayer::new());
        if let Way::Cut = way {
            app = app.layer(axum::middleware::map_response(cut));
        }
        let listener = PriorityListener::new(listener).socket(Watched::socket);
        axum::serve(listener, app).await.unwrap();
    });
    let peer = Peer::new(TcpStream::connect(address).await.unwrap()).await;
    (peer, calls)
}

/// The length of bodies that are cut.
const CUT: u64 = 300_000;

/// Passes half of the first piece of a large body, and then nothing for ever: the scheduler has granted the other half, too, and
/// it never comes.
async fn cut(response: Response<Body>) -> Response<Body> {
    let (head, mut body) = response.into_parts();
    if body.size_hint().exact() != Some(CUT) {
        return Response::from_parts(head, body);
    }
    let half = futures_util::stream::once(async move {
        let mut piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        piece.truncate(piece.len() / 2);
        Ok::<_, Infallible>(hyper::body::Frame::data(piece))
    });
    let never = futures_util::stream::once(poll_fn(|_| Poll::Pending));
    Response::new(Body::new(StreamBody::new(half.chain(never))))
}

fn encoded(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// Has the server read something, and the answer to that.
async fn ping(peer: &mut Peer<TcpStream>) {
    peer.send(&encoded(Frame::new(kind::PING, 0, [7; 8]))).await;
    peer.expect(kind::PING).await;
}

/// Two requests at once.
async fn get_two(peer: &mut Peer<TcpStream>, path: &str) {
    let flags = flag::END_STREAM | flag::END_HEADERS;
    let block = get_block(path, &[]);
    let both = [1, 3].map(|stream| frame(kind::HEADERS, flags, stream, &block));
    peer.send(&both.concat()).await;
    peer.finish(&[1, 3]).await;
}

const WAYS: [Way; 3] = [
    Way::Serve(Exec::Local),
    Way::Serve(Exec::Spawn),
    Way::Layered,
];

#[tokio::test]
async fn a_response_that_others_follow_is_corked_until_their_end() {
    for way in WAYS {
        let (mut peer, calls) = start(way).await;
        get_two(&mut peer, "/bytes/8000").await;
        ping(&mut peer).await;
        let seen = std::mem::take(&mut *calls.lock().unwrap());
        let large: Vec<bool> = seen
            .iter()
            .filter_map(|call| match call {
                Call::Write { bytes, corked } if *bytes >= 8_000 => Some(*corked),
                _ => None,
            })
            .collect();
        assert_eq!(large, [true, true], "{way:?}: {seen:?}");
        assert_eq!(last_read(&seen), Some(AT_REST));
    }
}

#[tokio::test]
async fn small_responses_are_never_corked() {
    for way in WAYS {
        let (mut peer, calls) = start(way).await;
        get_two(&mut peer, "/bytes/200").await;
        ping(&mut peer).await;
        let seen = std::mem::take(&mut *calls.lock().unwrap());
        let corked = |call: &Call| match call {
            Call::Write { corked, .. } | Call::Read { corked, .. } => *corked,
        };
        assert!(!seen.iter().any(corked), "{way:?}: {seen:?}");
    }
}

#[tokio::test]
async fn what_was_granted_and_never_comes_keeps_nothing_back() {
    let (mut peer, calls) = start(Way::Cut).await;
    peer.get(1, &format!("/bytes/{CUT}"), &[]).await;
    let came = peer.expect(kind::DATA).await.payload.len();
    ping(&mut peer).await;
    let seen = std::mem::take(&mut *calls.lock().unwrap());
    let corked = |call: &Call| matches!(call, Call::Write { bytes, corked: true } if *bytes > came);
    assert!(seen.iter().any(corked), "nothing was kept back: {seen:?}");
    assert_eq!(last_read(&seen), Some(AT_REST));
}

#[tokio::test]
async fn where_clients_upload_nothing_waits_for_acknowledgements() {
    for way in WAYS {
        let (mut peer, calls) = start(way).await;
        peer.send(&encoded(Frame::headers(1, Block::post("/bytes/5"))))
            .await;
        peer.send(&encoded(Frame::data(1, *b"abc").flag(flag::END_STREAM)))
            .await;
        peer.finish(&[1]).await;
        // The first may be read together with what was sent.
        ping(&mut peer).await;
        ping(&mut peer).await;
        let seen = std::mem::take(&mut *calls.lock().unwrap());
        let prompt = Call::Read {
            corked: false,
            prompt: true,
        };
        assert_eq!(last_read(&seen), Some(prompt), "{way:?}");
    }
}

fn last_read(seen: &[Call]) -> Option<Call> {
    let mut reads = seen.iter().filter(|call| matches!(call, Call::Read { .. }));
    reads.next_back().copied()
}
