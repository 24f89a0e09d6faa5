//! How a request can end without the whole of its response.

/// What was missing, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abort {
    /// The connection or the HTTP/2 stream ended before there was a response: the client has gone, or was cut off.
    Head,
    /// It ended within the body of the response.
    Body,
    /// What the body was read from failed.
    Source,
}

impl Abort {
    pub(crate) const ALL: [Abort; 3] = [Abort::Head, Abort::Body, Abort::Source];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Abort::Head => "head",
            Abort::Body => "body",
            Abort::Source => "source",
        }
    }
}
