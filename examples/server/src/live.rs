//! Connections that stay: `/events` (server-sent events) and `/echo` (WebSocket). Both end when the server drains.

use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tower_hotswap::InFlight;

use crate::app::App;
use crate::problem::Problem;
use crate::shutdown::Shutdown;

/// The largest message that is echoed.
const LARGEST: usize = 64 * 1024;
/// How long a silent peer is kept.
const SILENCE: Duration = Duration::from_secs(300);

/// Open WebSockets.
static SOCKETS: AtomicI64 = AtomicI64::new(0);

pub(crate) fn open_sockets() -> i64 {
    SOCKETS.load(Ordering::Relaxed)
}

/// `GET /events`: once a second the time since the start, and how many requests are being answered.
pub(crate) async fn events(
    State(app): State<App>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let beats = stream::unfold((app, ticks), async |(app, mut ticks)| {
        let mut shutdown = app.shutdown.clone();
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.asked() => return None,
        }
        let beat = json!({
            "uptime_seconds": app.started.elapsed().as_secs(),
            "in_flight": app.traffic.in_flight.load(Ordering::Relaxed),
        });
        let event = Event::default().event("beat").data(beat.to_string());
        Some((Ok(event), (app, ticks)))
    });
    Sse::new(beats).keep_alive(KeepAlive::default())
}

/// `GET /echo`: sends back what it is sent.
pub(crate) async fn echo(
    State(app): State<App>,
    in_flight: Option<InFlight>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(refusal) => {
            let detail = format!("this is for WebSockets alone: {}", refusal.body_text());
            return Problem::new(refusal.status(), detail).into_response();
        }
    };
    let shutdown = app.shutdown.clone();
    upgrade
        .max_message_size(LARGEST)
        .on_upgrade(|socket| async move {
            SOCKETS.fetch_add(1, Ordering::Relaxed);
            // Whoever goes without a goodbye is gone all the same.
            let _ = converse(socket, shutdown).await;
            // Until here it counts as a request of the generation that took it.
            drop(in_flight);
            SOCKETS.fetch_sub(1, Ordering::Relaxed);
        })
        .into_response()
}

async fn converse(mut socket: WebSocket, mut shutdown: Shutdown) -> Result<(), axum::Error> {
    loop {
        let message = tokio::select! {
            message = tokio::time::timeout(SILENCE, socket.recv()) => message,
            () = shutdown.asked() => {
                let frame = CloseFrame {
                    code: close_code::AWAY,
                    reason: "the server is stopping".into(),
                };
                return socket.send(Message::Close(Some(frame))).await;
            }
        };
        match message {
            Ok(Some(message)) => match message? {
                message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
                // The library answers pings and closes.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            },
            Ok(None) | Err(_) => return Ok(()),
        }
    }
}
