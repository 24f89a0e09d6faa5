//! Who waits in a listening socket's queue when a drain begins.

use std::time::Duration;

use axum::serve::Listener;
use tokio::time::{Instant, timeout_at};

/// Nobody is in the queue whom a listener has not handed out within this. A listener may take turns with others before it looks, and
/// a timer does not fire before the runtime has asked the kernel who has come.
const QUIET: Duration = Duration::from_millis(10);

/// Connections that a drain takes from the queue at most: as many as Linux has in one by default (`net.core.somaxconn`). Where
/// clients come faster than that it has an end.
const MOST: usize = 4096;

/// Accepts those who have connected already, since closing the socket resets them; but none after `until`.
pub(super) async fn take<L: Listener>(
    listener: &mut L,
    until: Instant,
    mut begin: impl FnMut(L::Io, L::Addr),
) {
    for _ in 0..MOST {
        let now = Instant::now();
        if now >= until {
            return;
        }
        match timeout_at(until.min(now + QUIET), listener.accept()).await {
            Ok((io, address)) => begin(io, address),
            Err(_) => return,
        }
    }
}
