//! Messages to systemd (`Type=notify`); without systemd they go nowhere.

use sd_notify::NotifyState;

/// The server accepts connections, and this process is the one to follow: it may have replaced the one that systemd started,
/// which has to be there still when this is said.
pub(crate) fn ready() {
    send(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready]);
}

/// The settings are taken in.
pub(crate) fn reloaded() {
    send(&[NotifyState::Ready]);
}

/// The server takes in its settings again.
pub(crate) fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now().ok());
    send(&states);
}

/// The server finishes what it has begun.
pub(crate) fn stopping() {
    send(&[NotifyState::Stopping]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
