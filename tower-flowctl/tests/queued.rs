//! Who has connected when a drain begins, and is in the kernel's queue: nobody is reset.
#![cfg(all(feature = "serve", feature = "admission"))]
#![forbid(unsafe_code)]

use std::{
    future::ready,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    routing::get,
    serve::{Listener, ListenerExt},
};
use http::Request;
use hyper::body::Incoming;
use tower::ServiceExt;
use tower_flowctl::{
    admission::{Admission, AdmittedStream, Counted, Limits},
    http2::RequestBody,
    serve::End,
};

/// More than the kernel's queue has by chance, and less than `std` has it hold.
const CLIENTS: usize = 100;

/// A socket that nobody accepts from yet, with clients in its queue who have asked already.
fn queue() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let clients = (0..CLIENTS).map(|_| {
        let mut client = TcpStream::connect(address).unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).unwrap();
        client
    });
    let clients = clients.collect();
    (socket, clients)
}

/// What a client is answered; an error when it is reset. The end of the stream is the server's.
fn answer(mut client: TcpStream) -> std::io::Result<String> {
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    Ok(answer)
}

fn app() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// Runs a server on `socket` that is to stop before it has accepted anybody.
async fn stop_at_once(socket: TcpListener) -> End {
    let listener = tokio::net::TcpListener::from_std(socket).unwrap();
    tower_flowctl::serve(listener, app())
        .run_until(ready(()))
        .await
}

fn assert_all_answered(clients: Vec<TcpStream>) {
    for (index, client) in clients.into_iter().enumerate() {
        let answer = answer(client).unwrap_or_else(|error| panic!("client {index}: {error}"));
        assert!(answer.ends_with("hello"), "client {index}: {answer:?}");
    }
}

#[tokio::test]
async fn whoever_is_in_the_queue_is_answered() {
    let (socket, clients) = queue();
    assert_eq!(stop_at_once(socket).await, End::Drained);
    assert_all_answered(clients);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_on_several_threads() {
    let (socket, clients) = queue();
    let server = tokio::spawn(stop_at_once(socket));
    assert_eq!(server.await.unwrap(), End::Drained);
    assert_all_answered(clients);
}

/// A listener that gives others their turn after each connection.
#[tokio::test]
async fn and_so_under_admission() {
    let (socket, clients) = queue();
    let listener = tokio::net::TcpListener::from_std(socket).unwrap();
    let admission = Admission::builder().limits(Limits::none()).build().unwrap();
    let listener = admission.listener(listener);
    let app = app().with_state(());
    let make = |io: &AdmittedStream<tokio::net::TcpStream>, _: &SocketAddr| {
        Counted::new(app.clone(), io.connection())
            .map_request(|request: Request<RequestBody<Incoming>>| request.map(Body::new))
    };
    let server = tower_flowctl::serve_with(listener, make);
    assert_eq!(server.run_until(ready(())).await, End::Drained);
    assert_all_answered(clients);
}

/// As after a restart that hands the socket over.
#[tokio::test]
async fn a_queue_that_is_left_is_anothers() {
    let (socket, clients) = queue();
    let successor = socket.try_clone().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let counts = taken.clone();
    let count = move |_: &mut _| _ = counts.fetch_add(1, Relaxed);
    let listener = tokio::net::TcpListener::from_std(socket).unwrap();
    let listener = listener.tap_io(count);
    let server = tower_flowctl::serve(listener, app()).leave_queue_if(|| true);
    assert_eq!(server.run_until(ready(())).await, End::Drained);
    // It is up to chance whether it sees the next client or its signal first.
    assert!(taken.load(Relaxed) < CLIENTS, "it has left nobody");
    assert_eq!(stop_at_once(successor).await, End::Drained);
    assert_all_answered(clients);
}

/// Clients who never cease to come.
struct Endless;

impl Listener for Endless {
    type Io = tokio::io::DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        // Whose client is gone.
        (tokio::io::duplex(1).0, ())
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_port_is_closed_even_if_clients_never_cease_to_come() {
    let begun = tokio::time::Instant::now();
    let server = tower_flowctl::serve(Endless, Router::new());
    assert_eq!(server.run_until(ready(())).await, End::Drained);
    assert_eq!(begun.elapsed().as_secs(), 1);
}
