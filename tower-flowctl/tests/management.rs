//! The management class answers while the public one cannot.
#![cfg(all(feature = "admission", feature = "axum"))]

mod support;

use std::{sync::mpsc, time::Duration};

use axum::{Router, routing::get};
use support::{Client, Server};
use tower_flowctl::{
    admission::{Admission, Class, Cut, Limits},
    management::{Management, ManagementError},
};

fn health() -> Router {
    Router::new().route("/healthz", get(|| async { "up" }))
}

fn admission() -> Admission {
    Admission::builder()
        .limits(Limits::none().total(8))
        .class(Class::new("default").limit(1))
        .class(Class::new("management"))
        .build()
        .unwrap()
}

fn spawn(admission: &Admission, class: &str) -> Result<Management, ManagementError> {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Management::spawn(admission, class, socket, |listener| async {
        let _ = axum::serve(listener, health()).await;
    })
}

#[test]
fn answers_while_the_public_runtime_is_stuck() {
    let admission = admission();
    let management = spawn(&admission, "management").unwrap();
    let address = management.local_addr();
    let (release, blocked) = mpsc::channel::<()>();
    let (stuck, is_stuck) = mpsc::channel();
    let public = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let server = Server::start(admission, health()).await;
            let mut client = server.connect().await;
            client.get("/healthz").await;
            // The only thread of the public runtime computes, and its class is full.
            stuck.send(()).unwrap();
            let _ = blocked.recv();
        });
    });
    is_stuck.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..3 {
            assert_eq!(
                Client::connect(address).await.get("/healthz").await.text(),
                "up"
            );
        }
    });
    drop(release);
    public.join().unwrap();
    management.stop();
    assert!(std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err());
}

#[test]
fn an_unknown_class_is_named() {
    let error = spawn(&admission(), "managment").unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("`managment`"), "{source}");
}

/// The deadlines, which it kept with its own thread, go on without it, though nobody connects any more.
#[tokio::test]
async fn what_it_maintained_goes_on_when_it_stops() {
    let admission = admission();
    let management = spawn(&admission, "management").unwrap();
    let server = Server::start(admission.clone(), health()).await;
    let mut client = server.connect().await;
    client.get("/healthz").await;
    tokio::task::spawn_blocking(|| management.stop())
        .await
        .unwrap();
    let soon = Limits::none().idle(Duration::from_millis(100));
    admission.set_limits(soon).unwrap();
    assert!(client.receive().await.is_none(), "it is closed");
    assert_eq!(admission.snapshot().cut(Cut::Idle), 1);
}
