//! What happens, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract,
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::error::RecvError;

use super::{State, view};

/// Each event has its name and the snapshot as JSON; `missed` says how many a slow listener lost.
pub(super) async fn stream<T: Send + Sync + 'static>(
    extract::State(state): extract::State<Arc<State<T>>>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let events = stream::unfold(state.handle.events(), |mut events| async {
        let event = match events.recv().await {
            Ok(event) => sse::Event::default()
                .event(event.name())
                .data(view::event(&event).to_string()),
            Err(RecvError::Lagged(missed)) => sse::Event::default()
                .event("missed")
                .data(missed.to_string()),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), events))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
