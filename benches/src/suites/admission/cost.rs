//! The cost when nothing is wrong: the same request through `axum::serve`, plain and admitted, and admitted through
//! tower-flowctl's `serve`, over a pipe in memory, so that nothing but user space is counted.
//!
//! Between plain and admitted stands the least that a wrapper of one's own would do, in `through.rs`: first a transport that
//! passes on, then requests that are counted while they are in flight. What admission costs beyond the latter is its own.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
};

use axum::{Router, body::Body, extract::Request, routing::get, serve::Listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime::{Builder, Runtime},
    sync::mpsc::{Receiver, channel},
};
use tower::ServiceBuilder;
use tower_flowctl::admission::{Accept, Admission, AdmittedStream, CountRequests, Counted};

use super::through::{InFlight, Through};
use crate::hot::{HotPath, Pass};

/// Requests in one pass.
const REQUESTS: usize = 50;

pub(super) fn hot_paths() -> Result<Vec<HotPath>, String> {
    let plain = HotPath::new("a request, plain", REQUESTS, || {
        pass(|pipes, app| async { axum::serve(Pipes(pipes), app).await })
    });
    let passed = HotPath::new("a request, passed through", REQUESTS, || {
        pass(|pipes, app| async { axum::serve(Through(Pipes(pipes)), app).await })
    });
    let counted = HotPath::new("a request, passed through and counted", REQUESTS, || {
        pass(|pipes, app| async {
            // As a router does it that is itself what axum serves.
            let app: Router = app.with_state(());
            axum::serve(Through(Pipes(pipes)), InFlight(app)).await
        })
    });
    let admitted = HotPath::new("a request, admitted", REQUESTS, || {
        pass(|pipes, app| async {
            let admission = Admission::builder()
                .build()
                .expect("the defaults are valid");
            let listener = admission.listener(Pipes(pipes));
            axum::serve(listener, CountRequests::new(app)).await
        })
    });
    let served = HotPath::new("a request, admitted and served", REQUESTS, || {
        pass(|pipes, app| async {
            let admission = Admission::builder()
                .build()
                .expect("the defaults are valid");
            let app: Router = app.with_state(());
            let make = move |io: &AdmittedStream<DuplexStream>, _: &SocketAddr| {
                ServiceBuilder::new()
                    .map_request(|request: Request<_>| request.map(Body::new))
                    .service(Counted::new(app.clone(), io.connection()))
            };
            tower_flowctl::serve_with(admission.listener(Pipes(pipes)), make)
                // Admission has a deadline for heads itself.
                .header_timeout(None)
                .run()
                .await;
            Ok(())
        })
    });
    Ok(vec![plain, passed, counted, admitted, served])
}

/// Listens for pipes.
pub(super) struct Pipes(Receiver<DuplexStream>);

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

impl Accept for Pipes {
    type Io = DuplexStream;
    type Address = SocketAddr;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        match self.0.recv().await {
            Some(pipe) => Ok((pipe, ADDRESS)),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(ADDRESS)
    }
}

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        match self.0.recv().await {
            Some(pipe) => (pipe, ADDRESS),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(ADDRESS)
    }
}

/// A pass of requests on one connection, one after the other. The process has a second thread, which only waits: every server has
/// several, and with the first one the C library's allocator and system calls become dearer, which is not to be charged to whoever
/// starts it.
fn pass<F, S>(serve: F) -> Pass
where
    F: FnOnce(Receiver<DuplexStream>, Router) -> S,
    S: Future<Output = io::Result<()>> + Send + 'static,
{
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    let runtime: Runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (pipes, listener) = channel(1);
    let app = Router::new().route("/", get(|| async { "hello" }));
    runtime.spawn(serve(listener, app));
    let (mut client, server) = duplex(16 << 10);
    runtime
        .block_on(pipes.send(server))
        .expect("the server listens");
    let mut answer = vec![0; 4096];
    Box::new(move || {
        runtime.block_on(async {
            for _ in 0..REQUESTS {
                client
                    .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    .await
                    .expect("written");
                let count = client.read(&mut answer).await.expect("an answer");
                assert!(answer[..count].ends_with(b"hello"));
            }
        });
    })
}
