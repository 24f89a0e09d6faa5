//! The driver against small servers, right and wrong.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use axum::{Router, routing::get};
use hyper::{StatusCode, header::CONNECTION};
use tokio::{net::TcpListener, runtime, sync::oneshot};

use super::{Options, run};

static GROWN: AtomicUsize = AtomicUsize::new(0);
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// Serves on a port of its own until the sender is dropped.
fn serve() -> (SocketAddr, oneshot::Sender<()>) {
    async fn growing() -> String {
        "x".repeat(GROWN.fetch_add(1, Relaxed))
    }
    async fn failing() -> StatusCode {
        if FAILED.fetch_add(1, Relaxed).is_multiple_of(2) {
            StatusCode::OK
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/page", get(|| async { "a longer page" }))
        .route(
            "/closing",
            get(|| async { ([(CONNECTION, "close")], "bye") }),
        )
        .route("/growing", get(growing))
        .route("/failing", get(failing));
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            tokio::select! {
                served = async { axum::serve(listener, app).await } => served.unwrap(),
                _ = stopped => {}
            }
        });
    });
    (told.recv().unwrap(), stop)
}

fn options(address: SocketAddr, paths: &[&str]) -> Options {
    Options {
        url: format!("http://{address}/"),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        requests: 300,
        connections: 4,
        any_length: false,
        pid: None,
        growth_mib: 16,
    }
}

#[test]
fn right_answers_pass_and_wrong_ones_are_named() {
    let (address, _stop) = serve();
    let cases: &[(&[&str], Result<(), &str>)] = &[
        (&[], Ok(())),
        (&["/", "/page", "404:/nowhere"], Ok(())),
        (&["/closing", "/"], Ok(())),
        (&["/nowhere"], Err("expected is 200")),
        (&["/growing"], Err("300 errors, 0 of 300")),
        (&["/failing"], Err("errors")),
    ];
    for (paths, want) in cases {
        match (run(&options(address, paths)), want) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(text)) => assert!(error.contains(text), "{paths:?}: {error}"),
            (got, want) => panic!("{paths:?}: {got:?}, wanted {want:?}"),
        }
    }
}

#[test]
fn memory_of_a_process_is_read_and_a_missing_one_is_an_error() {
    let (address, _stop) = serve();
    let mut options = options(address, &[]);
    options.pid = Some(std::process::id());
    assert_eq!(run(&options), Ok(()));
    options.pid = Some(u32::MAX);
    assert!(run(&options).is_err());
}
