/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The layers below HTTP are at work: TLS.
    Handshaking,
    /// A request's head is under way, or the first one is waited for.
    Receiving,
    /// Between requests: keep-alive.
    Idle,
    /// It has requests, or is upgraded, or nobody counts its requests.
    Active,
    /// It was asked to end and does as soon as its requests are answered.
    Draining,
}

/// Why a connection was ended by this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
#[repr(u8)]
pub enum Cut {
    /// Its handshake took longer than [`Limits::handshake`](super::Limits::handshake).
    Handshake,
    /// A request's head took longer than [`Limits::header`](super::Limits::header).
    Header,
    /// A request's body came slower than [`Limits::rate`](super::Limits::rate).
    SlowBody,
    /// The client took a response slower than [`Limits::rate`](super::Limits::rate).
    SlowRead,
    /// It was without a request for [`Limits::idle`](super::Limits::idle).
    Idle,
    /// It was the longest idle one when descriptors ran short.
    Reclaimed,
    /// The server drained.
    Drained,
    /// The application asked for it.
    Asked,
}

impl Cut {
    /// All of them, in the order of [`Snapshot::cut`](super::Snapshot::cut).
    pub const ALL: [Self; 8] = [
        Self::Handshake,
        Self::Header,
        Self::SlowBody,
        Self::SlowRead,
        Self::Idle,
        Self::Reclaimed,
        Self::Drained,
        Self::Asked,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Header => "header",
            Self::SlowBody => "slow_body",
            Self::SlowRead => "slow_read",
            Self::Idle => "idle",
            Self::Reclaimed => "reclaimed",
            Self::Drained => "drained",
            Self::Asked => "asked",
        }
    }
}
