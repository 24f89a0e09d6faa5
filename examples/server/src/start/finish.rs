//! What the end of a server takes, and what is said of it.

use std::time::Duration;

use tower_flowctl::serve::End;

use crate::app::App;
#[cfg(unix)]
use crate::notify::stopping as notify_stopping;
use crate::observe::AccessLogger;
use crate::serve::Port;
use crate::shutdown::Shutdown;

/// What is asked for at the second signal.
pub(super) async fn end_at_once(app: App) {
    app.shutdown.clone().at_once().await;
    app.remove_scratch();
    std::process::exit(1);
}

/// The end of a process that was replaced is not the end of the service, and its admin port is the new one's, but for one that
/// waits for the data until this process has ended.
pub(super) async fn announce_stop(app: App, admin: Shutdown) {
    let mut shutdown = app.shutdown.clone();
    shutdown.asked().await;
    match shutdown.is_handed_over() {
        true if app.config.data.is_some() => {}
        true => admin.ask(),
        false => notify_stopping(),
    }
}

#[cfg(not(unix))]
fn notify_stopping() {}

/// How long the log and the collector may take for what they have not had yet.
const WRITE_OUT: Duration = Duration::from_secs(2);

/// Has what is known of the last requests written and sent.
pub(super) fn write_out(app: &App) {
    let sent = app.tracer.as_ref();
    if !sent.is_none_or(|tracer| tracer.flush(WRITE_OUT)) {
        tracing::warn!("the collector has not had the last spans");
    }
    if !AccessLogger::flush(WRITE_OUT) {
        tracing::warn!("the last lines of the access log are not written");
    }
}

/// What the drain came to.
pub(super) fn report(app: &App, end: End) {
    let counts = app.traffic.counts();
    let requests: u64 = counts.iter().map(|(_, counts)| counts.total()).sum();
    // Before as well as in the drain.
    let aborted = counts.iter().flat_map(|(_, counts)| counts.aborts);
    let aborted: u64 = aborted.sum();
    let connections: u64 = [Port::Http, Port::Https]
        .map(|port| app.connections.accepted(port))
        .iter()
        .sum();
    let uptime = humantime::format_duration(Duration::from_secs(app.started.elapsed().as_secs()));
    let buffers_out = app.pool.stats().in_use;
    match end {
        End::Drained => {
            let but = if aborted > 0 { " but the aborted" } else { "" };
            tracing::info!(
                requests, aborted, connections, %uptime, buffers_out,
                "stopped: every request was answered{but}"
            );
        }
        End::Cut(cut) => tracing::warn!(
            connections = cut, requests, aborted, %uptime, buffers_out,
            "stopped: the drain timeout cut connections off"
        ),
    }
}
