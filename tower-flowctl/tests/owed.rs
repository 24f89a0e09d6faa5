//! HTTP/2 responses that wait for their client's windows are not cut off by who would have idle connections end.
#![cfg(all(feature = "admission", feature = "serve"))]
#![forbid(unsafe_code)]

mod raw;
mod support;

use std::{future::IntoFuture, time::Duration};

use axum::{Router, body::Body, routing::get};
use http::Request;
use hyper::body::Incoming;
use raw::{Block, Connection, Frame, flag, kind};
use support::{Patience, Server};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::yield_now,
};
use tower::ServiceExt;
use tower_flowctl::{
    admission::{Admission, AdmissionListener, AdmittedStream, CountRequests, Counted, Limits},
    http2::{PriorityLayer, PriorityListener, PriorityStream, RequestBody},
};

type Io = AdmittedStream<TcpStream>;

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// `axum::serve`.
    Plain,
    /// `axum::serve` over `PriorityListener`.
    Layered,
    /// `serve`, which tells clients by GOAWAY.
    Serve,
}

fn serve(kind: Kind, listener: AdmissionListener<TcpListener>, app: Router) {
    match kind {
        Kind::Plain => {
            tokio::spawn(axum::serve(listener, CountRequests::new(app)).into_future());
        }
        Kind::Layered => {
            let below = |io: &PriorityStream<Io>| io.get_ref().connection();
            let make = CountRequests::with(app.layer(PriorityLayer::new()), below);
            tokio::spawn(axum::serve(PriorityListener::new(listener), make).into_future());
        }
        Kind::Serve => {
            let service = move |io: &Io, _: &_| {
                Counted::new(app.clone(), io.connection())
                    .map_request(|request: Request<RequestBody<Incoming>>| request.map(Body::new))
            };
            let server = tower_flowctl::serve_with(listener, service).close_when(|io: &Io| {
                let connection = io.connection();
                Some(async move { connection.closing().await })
            });
            tokio::spawn(server.run());
        }
    }
}

/// Ten responses that are in one window each, but not all in that of the connection. Their handlers are done.
const STREAMS: u32 = 10;
const LENGTH: usize = 60_000;

async fn ask(kind: Kind) -> (Server, Connection<TcpStream>) {
    let admission = Admission::builder().limits(Limits::none()).build().unwrap();
    let (entered, mut entries) = mpsc::unbounded_channel();
    let app = Router::new().route(
        "/",
        get(move || {
            entered.send(()).unwrap();
            async { vec![b'x'; LENGTH] }
        }),
    );
    let server = Server::start_with(admission, |listener| serve(kind, listener, app)).await;
    let socket = TcpStream::connect(server.address).await.unwrap();
    let mut client = Connection::open(socket, &[]).await;
    let asks = (0..STREAMS).map(|n| Frame::headers(2 * n + 1, Block::get("/")).end_stream());
    client.send(asks).await.unwrap();
    for _ in 0..STREAMS {
        entries.recv().await.unwrap();
    }
    (server, client)
}

/// Opens the connection's window, reads to the end of the connection, and says how many bytes of bodies there were.
async fn read(client: &mut Connection<TcpStream>) -> usize {
    client
        .send([Frame::window_update(0, 1 << 20)])
        .await
        .unwrap();
    let mut length = 0;
    while let Some(frame) = client.next().await {
        if frame.kind == kind::DATA {
            length += frame.payload.len();
        }
        if frame.kind == kind::PING && !frame.has(flag::ACK) {
            client.send([frame.flag(flag::ACK)]).await.unwrap();
        }
    }
    length
}

#[tokio::test]
async fn responses_that_wait_for_windows_outlive_a_drain() {
    for kind in [Kind::Plain, Kind::Layered, Kind::Serve] {
        let (server, mut client) = ask(kind).await;
        let connection = server.only_connection();
        let admission = server.admission.clone();
        let drain = tokio::spawn(async move { admission.drain(Duration::from_secs(60)).await });
        let patience = Patience::begin();
        while !connection.is_closing() {
            patience.check(&connection);
            yield_now().await;
        }
        // What was sent before the window was full.
        let mut early = 0;
        while early < 65_535 {
            let frame = client
                .next()
                .await
                .unwrap_or_else(|| panic!("{kind:?}: {early}"));
            if frame.kind == kind::DATA {
                early += frame.payload.len();
            }
        }
        let length = read(&mut client).await;
        assert_eq!(early + length, STREAMS as usize * LENGTH, "{kind:?}");
        let report = drain.await.unwrap();
        assert_eq!((report.finished, report.cut.len()), (1, 0), "{kind:?}");
    }
}
