//! The servers: one application, and every way to serve it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower_flowctl::{
    http2::{PriorityLayer, PriorityListener},
    serve::Exec,
};
use tower_service::Service;

use crate::process::announce;

/// Streams of a connection with large responses, and the bytes of the largest.
const STREAMS: usize = 10;
const MOST: usize = 4_000_000;

/// `/N` is N bytes, `/small` thirteen.
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

impl<B> Service<Request<B>> for App {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.uri().path())))
    }
}

fn router() -> axum::Router {
    let app = App::new();
    axum::Router::new().route(
        "/{path}",
        axum::routing::get(|axum::extract::Path(path): axum::extract::Path<String>| async move {
            app.answer(&path)
        }),
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
