//! How a case is run, and how its outcome is read off the frames that came back.

use axum::{Router, body::Body, extract::Request};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::io::DuplexStream;

use crate::{
    case::{Awaited, Case, Outcome, Step},
    raw::{Connection, Frame, Server, code, flag, kind},
};

/// Bytes in a response.
pub(crate) const BODY: usize = 8192;

/// A handler that answers when the request is read and some time has passed, so that what a client sends at once
/// arrives before the answer goes out.
fn app() -> Router {
    Router::new().fallback(|request: Request| async {
        // An error ends the stream; the answer then goes nowhere.
        let _ = request.into_body().collect().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        Body::from(vec![b'x'; BODY])
    })
}

/// Runs the case against a server of its own. Returns the frames, too, for the message.
pub(crate) async fn run(case: &Case, server: Server, expected: &Outcome) -> (Outcome, Vec<Frame>) {
    let dialer = server.start(app());
    let mut client = Connection::new(dialer.connect());
    let mut seen = Vec::new();
    if case.handshake {
        client = Connection::open(dialer.connect(), &[]).await;
        if let Err(stuck) = wait(&mut client, Awaited::SettingsAck, &mut seen).await {
            return (stuck, seen);
        }
    }
    let mut bytes = Vec::new();
    for step in &case.steps {
        match step {
            Step::Send(more) => bytes.extend(more),
            Step::Await(awaited) => {
                say(&mut client, &mut bytes).await;
                if let Err(stuck) = wait(&mut client, *awaited, &mut seen).await {
                    return (stuck, seen);
                }
            }
        }
    }
    say(&mut client, &mut bytes).await;
    let closed = match rest(&mut client, &mut seen).await {
        true => true,
        false => !lives(&mut client, &mut seen).await,
    };
    (outcome(&seen, closed, expected), seen)
}

async fn say(client: &mut Connection<DuplexStream>, bytes: &mut Vec<u8>) {
    // A server that has gone away is seen in what it said.
    let _ = client.send_bytes(bytes).await;
    bytes.clear();
}

async fn wait(
    client: &mut Connection<DuplexStream>,
    awaited: Awaited,
    seen: &mut Vec<Frame>,
) -> Result<(), Outcome> {
    loop {
        match client.next_if_any().await {
            Ok(Some(frame)) => {
                let came = match awaited {
                    Awaited::SettingsAck => frame.kind == kind::SETTINGS && frame.has(flag::ACK),
                    Awaited::Data(stream) => frame.kind == kind::DATA && frame.stream == stream,
                    Awaited::End(stream) => frame.ends_stream() && frame.stream == stream,
                };
                seen.push(frame);
                if came {
                    return Ok(());
                }
            }
            end => return Err(Outcome::Stuck(format!("{awaited:?}: {end:?}"))),
        }
    }
}

/// Reads all that comes. Says whether the server closed the connection.
async fn rest(client: &mut Connection<DuplexStream>, seen: &mut Vec<Frame>) -> bool {
    loop {
        match client.next_if_any().await {
            Ok(Some(frame)) => seen.push(frame),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

const ALIVE: [u8; 8] = *b"alive?!?";

async fn lives(client: &mut Connection<DuplexStream>, seen: &mut Vec<Frame>) -> bool {
    let _ = client.send([Frame::ping(ALIVE)]).await;
    let closed = rest(client, seen).await;
    let answer = |frame: &Frame| frame.kind == kind::PING && frame.payload == ALIVE;
    let count = seen.len();
    seen.retain(|frame| !answer(frame));
    !closed && seen.len() == count - 1
}

fn outcome(seen: &[Frame], closed: bool, expected: &Outcome) -> Outcome {
    let of = |kind: u8| seen.iter().filter(move |frame| frame.kind == kind);
    if let Outcome::Greeted = expected {
        return match seen.first() {
            Some(first) if first.kind == kind::SETTINGS && first.flags == 0 => Outcome::Greeted,
            _ => Outcome::Nothing,
        };
    }
    if let Some(last) = of(kind::GOAWAY).find(|frame| frame.code() != code::NO_ERROR) {
        return if closed {
            Outcome::ConnectionError(last.code())
        } else {
            Outcome::GoAwayOnly(last.code())
        };
    }
    if closed {
        return Outcome::Closed;
    }
    if let Some(reset) = of(kind::RST_STREAM).next() {
        return Outcome::StreamError(reset.stream, reset.code());
    }
    match expected {
        Outcome::Data(_) => {
            return Outcome::Data(
                of(kind::DATA)
                    .filter(|frame| frame.stream == 1)
                    .map(|frame| frame.payload.len())
                    .collect(),
            );
        }
        Outcome::Acknowledged(_) => {
            return Outcome::Acknowledged(
                of(kind::SETTINGS)
                    .filter(|frame| frame.has(flag::ACK))
                    .count(),
            );
        }
        _ => {}
    }
    let mut pongs = of(kind::PING).filter(|frame| frame.has(flag::ACK));
    if let (Some(pong), None) = (pongs.next(), pongs.next()) {
        return Outcome::Pong(pong.payload[..].try_into().unwrap());
    }
    let answered = |stream: u32| {
        let of_stream = || seen.iter().filter(move |frame| frame.stream == stream);
        let ended = of_stream().any(Frame::ends_stream);
        of_stream().find_map(Frame::status).filter(|_| ended)
    };
    let streams = seen
        .iter()
        .rev()
        .map(|frame| frame.stream)
        .filter(|id| *id != 0);
    streams
        .filter_map(|stream| Some(Outcome::Answered(stream, answered(stream)?)))
        .next()
        .unwrap_or(Outcome::Nothing)
}
