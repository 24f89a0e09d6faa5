//! Header lists as long as the server says they may be (RFC 9113 §6.5.2).
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

mod raw;

use axum::{Router, extract::Request, routing::get};
use raw::{Block, Connection, Frame, Server, flag, kind, setting};

/// A request whose list has this size, and nothing of it indexed.
fn request(size: usize) -> Block {
    // A field of one byte, and what the others have: name, value and 32 each.
    let fixed = 32 * 5 + ":method:scheme:path:authorityGEThttp/localhostx".len();
    Block::get("/").field("x", &"y".repeat(size - fixed))
}

#[tokio::test(start_paused = true)]
async fn a_list_within_what_the_server_announced_is_taken_and_a_longer_one_is_not() {
    for server in Server::ALL {
        let app = Router::new().route(
            "/",
            get(|request: Request| async move {
                assert_eq!(request.headers().len(), 1, "{:?}", request.headers());
                "hello"
            }),
        );
        let dialer = server.start(app);
        let mut client = Connection::open(dialer.connect(), &[]).await;
        let greeting = client
            .until(|frame| frame.kind == kind::SETTINGS && !frame.has(flag::ACK))
            .await;
        let announced = greeting[0].setting(setting::MAX_HEADER_LIST_SIZE).unwrap();
        let announced = usize::try_from(announced).unwrap();
        for (stream, size, expected) in [(1, announced - 1, 200), (3, announced, 431)] {
            // hyper refuses a list that is as long as announced, too.
            let block = request(size);
            let frame = Frame::headers(stream, block).end_stream();
            client.send([frame]).await.unwrap();
            let answer = client.response(stream).await;
            assert_eq!(
                answer.0, expected,
                "{server:?}: {size} of {announced} bytes"
            );
        }
    }
}
