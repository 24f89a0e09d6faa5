//! What a client may cost by frames that carry nothing.
//!
//! h2 closes connections for some of it: streams reset before they were looked at (the batches of CVE-2023-44487), more than
//! 1,024 resets that the client's faults made necessary (CVE-2025-8671), CONTINUATION without end (CVE-2024-27316), empty DATA
//! (CVE-2019-9518). It takes without limit: resets one at a time, PING, SETTINGS, tiny WINDOW_UPDATE and DATA, PRIORITY, and
//! readers that never read. Those are counted here, in windows of a second.

use std::{fmt, time::Duration};

use tokio::time::Instant;

/// Why a connection was closed on the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Too many streams that the client itself reset (CVE-2023-44487).
    ClientResets,
    /// Too many streams that the server had to reset (CVE-2025-8671).
    ServerResets,
    /// Too many PING frames (CVE-2019-9512).
    Pings,
    /// Too many SETTINGS frames (CVE-2019-9515).
    Settings,
    /// Too many small WINDOW_UPDATE frames (CVE-2019-9511).
    WindowUpdates,
    /// Too many PRIORITY and PRIORITY_UPDATE frames (CVE-2019-9513).
    Priorities,
    /// Too many small DATA frames (CVE-2019-9518, but with a byte in each).
    SmallData,
    /// A response could not go on for too long, since the client takes nothing (CVE-2019-9517).
    Stalled,
    /// A PRIORITY_UPDATE frame on a stream, or for stream 0 or a push that was never promised (RFC 9218 §7.1).
    InvalidUpdate,
    /// A PRIORITY_UPDATE frame without room for its stream (RFC 9113 §4.2).
    ShortUpdate,
    /// More of a request's body than there was window for (RFC 9113 §6.9.1), where windows follow a
    /// [`ReceiveBudget`](super::ReceiveBudget).
    WindowExceeded,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 11] = [
        Self::ClientResets,
        Self::ServerResets,
        Self::Pings,
        Self::Settings,
        Self::WindowUpdates,
        Self::Priorities,
        Self::SmallData,
        Self::Stalled,
        Self::InvalidUpdate,
        Self::ShortUpdate,
        Self::WindowExceeded,
    ];

    /// As it stands in GOAWAY's debug data and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientResets => "client_resets",
            Self::ServerResets => "server_resets",
            Self::Pings => "pings",
            Self::Settings => "settings",
            Self::WindowUpdates => "window_updates",
            Self::Priorities => "priorities",
            Self::SmallData => "small_data",
            Self::Stalled => "stalled",
            Self::InvalidUpdate => "invalid_priority_update",
            Self::ShortUpdate => "short_priority_update",
            Self::WindowExceeded => "window_exceeded",
        }
    }

    /// The error code of GOAWAY (RFC 9113 §7): ENHANCE_YOUR_CALM, unless a frame was at fault.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::InvalidUpdate => 0x1,
            Self::WindowExceeded => 0x3,
            Self::ShortUpdate => 0x6,
            _ => 0xb,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the stream fails with when its connection was closed on the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abuse(pub(crate) Reason);

impl fmt::Display for Abuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection was closed on its client: {}", self.0)
    }
}

impl std::error::Error for Abuse {}

/// How many frames that carry nothing a client may send in a second, and how long it may take nothing.
///
/// The connection of a client that exceeds one is closed by GOAWAY with ENHANCE_YOUR_CALM and the [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http2Limits {
    /// Resets by the client: 300 a second. A page that is left resets all its streams, and hyper allows 200 at once.
    pub client_resets: u32,
    /// Resets by the server: 300 a second. Its handlers' own count, too.
    pub server_resets: u32,
    /// PING: 100 a second.
    pub pings: u32,
    /// SETTINGS: 50 a second.
    pub settings: u32,
    /// WINDOW_UPDATE by less than 256 bytes: 1,000 a second, and two more for each frame of a response sent.
    pub small_window_updates: u32,
    /// PRIORITY and PRIORITY_UPDATE: 200 a second, and four more for each request.
    pub priorities: u32,
    /// DATA of less than 64 bytes that is not the last of its stream: 20,000 a second. Streams of small messages
    /// are made of them.
    pub small_data: u32,
    /// How long responses may wait for the client to take some of them, by reading or by opening windows: 60 seconds, which
    /// is nginx's `send_timeout`. What counts is progress by 16 KiB, of all responses of the connection together.
    ///
    /// A client that pauses a video looks the same as one that holds memory on purpose (CVE-2019-9517), and is closed, too.
    /// Browsers go on with a range request. But whatever else is on the connection and idle, such as a stream of events, ends
    /// with it: where pages pause videos beside those, let it be an hour, and have admission limit connections instead.
    /// `Duration::MAX` is for ever; with zero no response may wait at all.
    pub stall: Duration,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            client_resets: 300,
            server_resets: 300,
            pings: 100,
            settings: 50,
            small_window_updates: 1_000,
            priorities: 200,
            small_data: 20_000,
            stall: Duration::from_secs(60),
        }
    }
}

/// Progress that shows a client is there.
const PROGRESS: u64 = 16 << 10;

/// The counters of one connection.
#[derive(Debug)]
pub(crate) struct Flood {
    limits: Http2Limits,
    begun: Option<Instant>,
    counts: [u32; Reason::ALL.len()],
    /// The time from which a response waits for the client, and what had been sent by then.
    stalled: Option<(Instant, u64)>,
    sent: u64,
}

impl Flood {
    pub(crate) fn new(limits: Http2Limits) -> Self {
        Self {
            limits,
            begun: None,
            counts: [0; Reason::ALL.len()],
            stalled: None,
            sent: 0,
        }
    }

    /// Counts a frame. `Err` if it is one too many.
    pub(crate) fn count(&mut self, reason: Reason) -> Result<(), Reason> {
        let limit = match reason {
            Reason::ClientResets => self.limits.client_resets,
            Reason::ServerResets => self.limits.server_resets,
            Reason::Pings => self.limits.pings,
            Reason::Settings => self.limits.settings,
            Reason::WindowUpdates => self.limits.small_window_updates,
            Reason::Priorities => self.limits.priorities,
            Reason::SmallData => self.limits.small_data,
            Reason::Stalled
            | Reason::InvalidUpdate
            | Reason::ShortUpdate
            | Reason::WindowExceeded => return Ok(()),
        };
        let count = &mut self.counts[reason as usize];
        *count = count.saturating_add(1);
        // The clock is read only when a limit is reached within what may be one second or many.
        if *count <= limit {
            return Ok(());
        }
        let now = Instant::now();
        match self.begun {
            Some(begun) if now.duration_since(begun) < Duration::from_secs(1) => Err(reason),
            _ => {
                self.begun = Some(now);
                self.counts = [0; Reason::ALL.len()];
                Ok(())
            }
        }
    }

    /// Gives credit for frames that belong to something useful.
    pub(crate) fn credit(&mut self, reason: Reason, frames: u32) {
        let count = &mut self.counts[reason as usize];
        *count = count.saturating_sub(frames);
    }

    pub(crate) fn sent(&mut self, bytes: u32) {
        self.sent += u64::from(bytes);
    }

    /// Looks whether the client holds up a response, which `depends` says it could. Returns when to look again.
    pub(crate) fn check_stall(&mut self, depends: bool) -> Result<Option<Instant>, Reason> {
        if !depends {
            self.stalled = None;
            return Ok(None);
        }
        match self.stalled {
            Some((since, sent)) if self.sent - sent < PROGRESS => {
                let end = since.checked_add(self.limits.stall);
                if end.is_some_and(|end| Instant::now() >= end) {
                    return Err(Reason::Stalled);
                }
                Ok(end)
            }
            _ => {
                let now = Instant::now();
                self.stalled = Some((now, self.sent));
                Ok(now.checked_add(self.limits.stall))
            }
        }
    }

    /// Whether somebody looks after responses that wait.
    pub(crate) fn is_watching(&self) -> bool {
        self.stalled.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stall_may_last_for_ever() {
        let mut flood = Flood::new(Http2Limits {
            stall: Duration::MAX,
            ..Http2Limits::default()
        });
        for _ in 0..3 {
            assert_eq!(flood.check_stall(true), Ok(None));
            tokio::time::advance(Duration::from_secs(1 << 30)).await;
        }
    }
}
