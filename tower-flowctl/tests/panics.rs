//! Handlers that panic.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

mod raw;

use std::convert::Infallible;

use axum::{Router, extract::Request, response::Response, routing::get};
use raw::{Block, Connection, Frame, Server, kind};

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_ends_its_own_stream_and_no_other() {
    for server in Server::ALL {
        let app = Router::new()
            .route("/", get(|| async { "hello" }))
            .route(
                "/late",
                get(|| async {
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    "late"
                }),
            )
            .route("/panic", get(panics))
            .route_service("/panic/at-once", tower::service_fn(panics_when_called));
        let mut client = Connection::open(server.start(app).connect(), &[]).await;
        let ask = |stream, path| Frame::headers(stream, Block::get(path)).end_stream();
        client
            .send([
                ask(1, "/late"),
                ask(3, "/panic"),
                ask(5, "/panic/at-once"),
                ask(7, "/"),
            ])
            .await
            .unwrap();
        let frames = client
            .until(|frame| frame.stream == 1 && frame.ends_stream())
            .await;
        for stream in [3, 5] {
            let reset = |frame: &Frame| frame.kind == kind::RST_STREAM && frame.stream == stream;
            assert!(frames.iter().any(reset), "{server:?}: {frames:?}");
        }
        client.send([ask(9, "/")]).await.unwrap();
        assert_eq!(client.response(9).await, (200, 5), "{server:?}");
    }
}

async fn panics() -> &'static str {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    panic!("on purpose")
}

/// Panics before there is a future.
fn panics_when_called(_: Request) -> std::future::Ready<Result<Response, Infallible>> {
    panic!("on purpose")
}
