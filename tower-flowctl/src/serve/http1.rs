//! What can be said of HTTP/1.

/// What becomes of the requests of an HTTP/1 client that sends no more while they are answered, by `shutdown(2)` of its
/// side or because it is gone. The server cannot tell which before it writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HalfClosed {
    /// A request whose handler has not answered yet is cancelled, the default and hyper's: most of those clients are gone, and
    /// nobody works for them any longer. Where the end comes together with the request, hyper sees it before the handler
    /// is asked, and nobody is answered at all.
    #[default]
    Cancel,
    /// It is answered. Handlers of clients that are gone run to their end then, and may need a deadline of their own; that a
    /// client is gone, or was cut off by admission, is seen when something is written to it.
    Answer,
}

/// How responses go out whose requests came together (HTTP/1 pipelining).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pipelined {
    /// Each as soon as it is there, the default.
    #[default]
    Singly,
    /// Up to 16 KiB of those that are there together, in one write. Bodies behind which a file is sent by `sendfile(2)` are
    /// left alone, as is whoever does not pipeline. A handler or a body that fails takes the responses with it that are to go
    /// out before its own, since hyper closes the connection on the spot.
    Together,
}
