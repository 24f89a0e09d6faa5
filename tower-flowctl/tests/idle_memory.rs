//! What a connection holds while nothing happens on it.
#![cfg(feature = "serve")]

#[allow(dead_code, reason = "other tests look at the peak and count, too")]
#[path = "abuse/heap.rs"]
mod heap;
mod raw;

use axum::{Router, routing::get};
use raw::{Block, Connection, Frame, Server};
use tower_flowctl::serve::Exec;

/// Connections that are measured.
const CONNECTIONS: i64 = 100;

/// Bytes of the heap for each connection that has been answered once, the client's end and the memory between included.
async fn idle(server: Server) -> i64 {
    let dialer = server.start(Router::new().route("/", get(|| async { "hello" })));
    let connect = || async {
        let mut client = Connection::open(dialer.connect(), &[]).await;
        let ask = Frame::headers(1, Block::get("/")).end_stream();
        client.send([ask]).await.unwrap();
        assert_eq!(client.response(1).await, (200, 5));
        client
    };
    // What is made once is not a connection's.
    let _first = connect().await;
    let before = heap::live();
    let mut clients = Vec::with_capacity(CONNECTIONS as usize);
    for _ in 0..CONNECTIONS {
        clients.push(connect().await);
    }
    (heap::live() - before) / CONNECTIONS
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_holds_little_more_than_hypers() {
    let plain = idle(Server::Hyper).await;
    for server in [
        Server::Layered,
        Server::Flowctl(Exec::Local),
        Server::Flowctl(Exec::Spawn),
        Server::Budgeted,
    ] {
        let ours = idle(server).await;
        println!(
            "{server:?}: {} bytes more than hyper's {plain}",
            ours - plain
        );
        assert!(ours - plain <= 6 << 10, "{server:?}: {ours}, hyper {plain}");
    }
}
