//! The servers: one application, and every way to serve it.

use std::{
    convert::Infallible,
    future::{self, Future, Ready},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower_flowctl::{
    http2::{PriorityLayer, PriorityListener, ReceiveBudget},
    serve::Exec,
};
use tower_service::Service;

use crate::process::announce;

/// Streams of a connection with large responses, and the bytes of the largest.
const STREAMS: usize = 10;
const MOST: usize = 4_000_000;

/// For the windows of all uploads: more than they use.
const BUDGET: u64 = 256 << 20;

/// `/N` is N bytes, `/small` thirteen; `/upload` reads what it is sent, and says how many bytes that were.
///
/// Responses that are under way together are of different memory, as different files would be: if they were one and the same,
/// a server that sends a piece of each in turn would have all but the first from the processor's cache.
#[derive(Clone)]
pub(super) struct App {
    bodies: Arc<[Bytes; STREAMS]>,
    next: Arc<AtomicUsize>,
}

impl App {
    pub(super) fn new() -> Self {
        Self {
            bodies: Arc::new(std::array::from_fn(|_| vec![b'x'; MOST].into())),
            next: Arc::default(),
        }
    }

    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let path = path.trim_start_matches('/');
        if path == "small" {
            return Response::new(Full::new(Bytes::from_static(b"Hello, World!")));
        }
        match path.parse::<usize>() {
            Ok(length) if length <= MOST => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let body = &self.bodies[number % self.bodies.len()];
                Response::new(Full::new(body.slice(..length)))
            }
            _ => {
                let mut response = Response::default();
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }
}

type Answer = Result<Response<Full<Bytes>>, Infallible>;

impl<B: Body<Data = Bytes> + Unpin> Service<Request<B>> for App {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Either<Ready<Answer>, Count<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() == "/upload" {
            Either::Right(Count::new(request.into_body()))
        } else {
            Either::Left(future::ready(Ok(self.answer(request.uri().path()))))
        }
    }
}

/// Reads a body to its end, frame by frame as they come, and answers with its length.
pub(super) struct Count<B> {
    body: B,
    bytes: usize,
}

impl<B> Count<B> {
    fn new(body: B) -> Self {
        Self { body, bytes: 0 }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Future for Count<B> {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let Self { body, bytes } = self.get_mut();
        while let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)) {
            match frame {
                Ok(frame) => *bytes += frame.data_ref().map_or(0, Bytes::len),
                // The client has gone away. What is left says that not all was read.
                Err(_) => break,
            }
        }
        Poll::Ready(Ok(Response::new(Full::new(bytes.to_string().into()))))
    }
}

fn router() -> axum::Router {
    let app = App::new();
    axum::Router::new()
        .route(
            "/{path}",
            axum::routing::get(
                |axum::extract::Path(path): axum::extract::Path<String>| async move {
                    app.answer(&path)
                },
            ),
        )
        .route(
            "/upload",
            axum::routing::post(|request: axum::extract::Request| Count::new(request.into_body())),
        )
}

/// Runs in the server's process.
pub(super) fn serve(arguments: &[String]) -> Result<(), String> {
    // As `#[tokio::main]` makes it on two cores.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .map_err(|error| format!("cannot listen: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        announce(address);
        // The same bytes for all connections, of every server.
        let app = App::new();
        match arguments.concat().as_str() {
            "hyper" => loop {
                let (socket, _) = listener.accept().await.map_err(|error| error.to_string())?;
                tokio::spawn(hyper(socket, app.clone()));
            },
            "axum" => axum::serve(listener, router())
                .await
                .map_err(|error| error.to_string()),
            "layered" => {
                let app = router().layer(PriorityLayer::new());
                axum::serve(PriorityListener::new(listener), app)
                    .await
                    .map_err(|error| error.to_string())
            }
            "ours" => {
                tower_flowctl::serve(listener, app).run().await;
                Ok(())
            }
            "ours, spawn" => {
                let server = tower_flowctl::serve(listener, app);
                server.exec(Exec::Spawn).run().await;
                Ok(())
            }
            "ours, budget" => {
                let server = tower_flowctl::serve(listener, app);
                server
                    .receive_budget(ReceiveBudget::new(BUDGET))
                    .run()
                    .await;
                Ok(())
            }
            other => Err(format!("no server is called `{other}`")),
        }
    })
}

pub(super) async fn hyper<Io>(io: Io, app: App)
where
    Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // The load generator ends connections as it likes.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(app))
        .await;
}
