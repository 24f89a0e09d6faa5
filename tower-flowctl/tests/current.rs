//! What handlers see of the streams whose requests they answer.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

mod raw;

use axum::{Router, extract::Request, response::IntoResponse, routing::get};
use raw::{Block, Connection, Frame, Server, kind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tower_flowctl::{
    http2::{PriorityLayer, PriorityOverride, StreamPriority},
    serve::Exec,
};

const OURS: [Server; 4] = [
    Server::Layered,
    Server::Flowctl(Exec::Local),
    Server::Flowctl(Exec::Spawn),
    Server::Budgeted,
];

/// Answers with the stream's number as the extractor has it, as it is current before and after a pause and in another task,
/// and as the extensions have it.
async fn tell(extracted: Option<StreamPriority>, request: Request) -> String {
    let id = |stream: StreamPriority| stream.id();
    let before = StreamPriority::current().map(id);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let after = StreamPriority::current().map(id);
    let elsewhere = tokio::spawn(async move { StreamPriority::current().map(id) });
    let elsewhere = elsewhere.await.unwrap();
    let noted = request.extensions().get::<StreamPriority>().cloned();
    say(&[extracted.map(id), before, after, elsewhere, noted.map(id)])
}

fn say(numbers: &[Option<u32>]) -> String {
    let words = numbers.iter().map(|number| match number {
        Some(number) => number.to_string(),
        None => "none".to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn app() -> Router {
    let called = tower::service_fn(|_: Request| {
        let current = StreamPriority::current().map(|stream| stream.id());
        std::future::ready(Ok::<_, std::convert::Infallible>(
            say(&[current]).into_response(),
        ))
    });
    Router::new()
        .route("/", get(tell))
        .route(
            "/required",
            get(|stream: StreamPriority| async move { stream.id().to_string() }),
        )
        .route(
            "/set",
            get(|stream: StreamPriority| async move {
                stream.set(PriorityOverride::new().urgency(6));
                format!("{:?}", stream.get().map(|priority| priority.urgency()))
            }),
        )
        .route(
            "/panic",
            get(|| async {
                assert!(StreamPriority::current().is_none(), "on purpose");
            }),
        )
        .route_service("/called", called)
}

async fn ask<Io: AsyncRead + AsyncWrite>(
    client: &mut Connection<Io>,
    stream: u32,
    path: &str,
) -> String {
    let ask = Frame::headers(stream, Block::get(path)).end_stream();
    client.send([ask]).await.unwrap();
    text(client, stream).await
}

async fn text<Io: AsyncRead + AsyncWrite>(client: &mut Connection<Io>, stream: u32) -> String {
    let frames = client
        .until(|frame| frame.stream == stream && frame.ends_stream())
        .await;
    let data = frames
        .iter()
        .filter(|frame| frame.stream == stream && frame.kind == kind::DATA);
    let bytes: Vec<u8> = data.flat_map(|frame| frame.payload.to_vec()).collect();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_its_own_stream() {
    for server in OURS {
        let mut client = Connection::open(server.start(app()).connect(), &[]).await;
        let noted = |id: &str| match server {
            Server::Layered => id.to_owned(),
            _ => "none".to_owned(),
        };
        // Two that wait at the same time.
        let both = [1, 3].map(|stream| Frame::headers(stream, Block::get("/")).end_stream());
        client.send(both).await.unwrap();
        let first = text(&mut client, 1).await;
        assert_eq!(first, format!("1 1 1 none {}", noted("1")), "{server:?}");
        let second = text(&mut client, 3).await;
        assert_eq!(second, format!("3 3 3 none {}", noted("3")), "{server:?}");
        assert_eq!(ask(&mut client, 5, "/called").await, "5", "{server:?}");
        assert_eq!(ask(&mut client, 7, "/required").await, "7", "{server:?}");
        assert_eq!(ask(&mut client, 9, "/set").await, "Some(6)", "{server:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_puts_it_into_the_extensions() {
    for server in OURS {
        let app = app().layer(PriorityLayer::new());
        let mut client = Connection::open(server.start(app).connect(), &[]).await;
        assert_eq!(ask(&mut client, 1, "/").await, "1 1 1 none 1", "{server:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_current_where_nothing_is_scheduled() {
    for server in Server::ALL {
        let mut client = server.start(app()).connect();
        let ask = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
        client.write_all(ask).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let expected = "\r\n\r\nnone none none none none";
        assert!(answer.ends_with(expected), "{server:?}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_leaves_nothing_behind() {
    for server in OURS {
        let mut client = Connection::open(server.start(app()).connect(), &[]).await;
        let ask_for = |stream, path| Frame::headers(stream, Block::get(path)).end_stream();
        client.send([ask_for(1, "/panic")]).await.unwrap();
        client
            .until(|frame| frame.kind == kind::RST_STREAM && frame.stream == 1)
            .await;
        // In this thread, where it was polled.
        assert!(StreamPriority::current().is_none(), "{server:?}");
        assert_eq!(ask(&mut client, 3, "/called").await, "3", "{server:?}");
    }
}
