//! Clients that tell a request that was lost from a connection that was closed while idle.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, runtime, task::JoinSet};

use super::UPLOAD;

type Upload = UnsyncBoxBody<Bytes, Infallible>;

/// What the clients saw.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) answered: u64,
    /// Sent whole, and without a whole answer.
    pub(super) lost: u64,
    /// Answered by more than one generation, or by something else than was asked.
    pub(super) mixed: u64,
    /// Connections that were closed while nothing was asked.
    pub(super) reopened: u64,
    pub(super) reloads: u64,
}

/// Connections to be kept busy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    address: SocketAddr,
    http1: usize,
    http2: usize,
    paths: &'static [&'static str],
}

impl Load {
    /// Both protocols, small answers, streamed ones, and uploads.
    pub(super) fn everything(address: SocketAddr) -> Self {
        Self {
            address,
            http1: 48,
            http2: 16,
            paths: &["/", "/streamed", "/upload"],
        }
    }

    /// Small answers by HTTP/1.1.
    pub(super) fn small(address: SocketAddr) -> Self {
        Self {
            address,
            http1: 64,
            http2: 0,
            paths: &["/"],
        }
    }

    /// Blocks until `done`, and the answers that are due then have come.
    pub(super) fn run(self, done: &Arc<AtomicBool>) -> Result<Counts, String> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| e.to_string())?.block_on(async {
            let mut clients = JoinSet::new();
            for first in 0..self.http1 {
                clients.spawn(self.by_http1(first, done.clone()));
            }
            for first in 0..self.http2 {
                clients.spawn(self.by_http2(first, done.clone()));
            }
            let mut all = Counts::default();
            while let Some(client) = clients.join_next().await {
                let counts = client.map_err(|e| e.to_string())??;
                all.answered += counts.answered;
                all.lost += counts.lost;
                all.mixed += counts.mixed;
                all.reopened += counts.reopened;
            }
            Ok(all)
        })
    }

    async fn by_http1(self, first: usize, done: Arc<AtomicBool>) -> Result<Counts, String> {
        let (mut counts, mut turn) = (Counts::default(), first);
        while !done.load(Ordering::SeqCst) {
            let socket = TcpStream::connect(self.address)
                .await
                .map_err(|e| e.to_string())?;
            socket.set_nodelay(true).map_err(|e| e.to_string())?;
            let opened = http1::handshake(TokioIo::new(socket)).await;
            let (mut sender, connection) = opened.map_err(|e| e.to_string())?;
            tokio::spawn(connection);
            while !done.load(Ordering::SeqCst) {
                if sender.ready().await.is_err() {
                    counts.reopened += 1;
                    break;
                }
                let (request, path) = self.request(turn);
                match sender.send_request(request).await {
                    Ok(response) => counts.judge(path, response).await,
                    // It was not begun to be sent.
                    Err(error) if error.is_canceled() => {
                        counts.reopened += 1;
                        break;
                    }
                    Err(_) => {
                        counts.lost += 1;
                        break;
                    }
                }
                turn += 1;
            }
        }
        Ok(counts)
    }

    async fn by_http2(self, first: usize, done: Arc<AtomicBool>) -> Result<Counts, String> {
        let (mut counts, mut turn) = (Counts::default(), first);
        let socket = TcpStream::connect(self.address)
            .await
            .map_err(|e| e.to_string())?;
        let opened = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
        let (mut sender, connection) = opened.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        while !done.load(Ordering::SeqCst) {
            sender.ready().await.map_err(|e| e.to_string())?;
            let (request, path) = self.request(turn);
            match sender.send_request(request).await {
                Ok(response) => counts.judge(path, response).await,
                Err(_) => counts.lost += 1,
            }
            turn += 1;
        }
        Ok(counts)
    }

    fn request(&self, turn: usize) -> (Request<Upload>, &'static str) {
        let path = self.paths[turn % self.paths.len()];
        let uploads = path == "/upload";
        let body = if uploads {
            let pieces = stream::iter(0..4).then(|_| async {
                tokio::time::sleep(Duration::from_millis(2)).await;
                Ok(Frame::data(Bytes::from_static(&[b'x'; UPLOAD / 4])))
            });
            Upload::new(StreamBody::new(pieces))
        } else {
            Upload::new(Empty::new())
        };
        let mut request = Request::new(body);
        *request.method_mut() = if uploads { Method::POST } else { Method::GET };
        if let Ok(uri) = format!("http://{}{path}", self.address).parse() {
            *request.uri_mut() = uri;
        }
        if let Ok(host) = self.address.to_string().parse() {
            request.headers_mut().insert(http::header::HOST, host);
        }
        (request, path)
    }
}

impl Counts {
    async fn judge(&mut self, path: &str, response: Response<Incoming>) {
        let status = response.status();
        let Ok(body) = response.into_body().collect().await else {
            self.lost += 1;
            return;
        };
        let body = body.to_bytes();
        let words: Vec<&str> = std::str::from_utf8(&body)
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let right = match (path, &words[..]) {
            ("/streamed", [first, rest @ ..]) => {
                rest.len() == 4 && rest.iter().all(|word| word == first)
            }
            ("/upload", [_, length]) => length.parse() == Ok(UPLOAD),
            (_, words) => words.len() == 1,
        };
        if right && status == StatusCode::OK {
            self.answered += 1;
        } else {
            self.mixed += 1;
        }
    }
}
