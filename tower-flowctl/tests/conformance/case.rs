//! The form of a case.

use std::fmt;

use crate::raw::{Frame, Server};

/// What the client does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Says this, in one write with what follows.
    Send(Vec<u8>),
    /// Reads until it comes.
    Await(Awaited),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Awaited {
    /// The server's acknowledgement of settings.
    SettingsAck,
    /// DATA on the stream.
    Data(u32),
    /// The end of the response on the stream.
    End(u32),
}

impl From<Frame> for Step {
    fn from(frame: Frame) -> Self {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        Self::Send(bytes)
    }
}

impl From<&[u8]> for Step {
    fn from(bytes: &[u8]) -> Self {
        Self::Send(bytes.to_vec())
    }
}

impl From<Awaited> for Step {
    fn from(awaited: Awaited) -> Self {
        Self::Await(awaited)
    }
}

/// The steps of a case from frames, bytes and what is awaited.
macro_rules! steps {
    ($($step:expr),* $(,)?) => {
        vec![$($crate::case::Step::from($step)),*]
    };
}
pub(crate) use steps;

/// What a server makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The first frame is SETTINGS, without ACK.
    Greeted,
    /// The response on this stream comes to its end with this status, and the connection lives.
    Answered(u32, u16),
    /// Nothing, and the connection lives.
    Nothing,
    /// A PING came back with this payload, and no other.
    Pong([u8; 8]),
    /// SETTINGS was acknowledged so many times, the client's first included.
    Acknowledged(usize),
    /// The DATA of stream 1 had these lengths.
    Data(Vec<usize>),
    /// RST_STREAM with this code on this stream, and the connection lives.
    StreamError(u32, u32),
    /// GOAWAY with this code, then the end.
    ConnectionError(u32),
    /// GOAWAY with this code, and no end.
    GoAwayOnly(u32),
    /// The end without GOAWAY.
    Closed,
    /// The step did not come to pass.
    Stuck(String),
}

/// What to think of an outcome that is not the expected one.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    /// The RFC allows it, here.
    Allowed(&'static str),
    /// The RFC does not; the reason.
    Wrong(&'static str),
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(why) => write!(f, "allowed: {why}"),
            Self::Wrong(why) => write!(f, "wrong: {why}"),
        }
    }
}

/// What some servers do instead.
#[derive(Debug)]
struct Other {
    servers: fn(Server) -> bool,
    outcome: Outcome,
    verdict: Verdict,
}

#[derive(Debug)]
pub(crate) struct Case {
    /// Its number in h2spec, or in this table.
    pub(crate) id: &'static str,
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    /// Whether preface and settings are exchanged first.
    pub(crate) handshake: bool,
    pub(crate) steps: Vec<Step>,
    expected: Outcome,
    other: Vec<Other>,
}

impl Case {
    pub(crate) fn new(
        id: &'static str,
        section: &'static str,
        name: &'static str,
        steps: Vec<Step>,
        expected: Outcome,
    ) -> Self {
        Self {
            id,
            section,
            name,
            handshake: true,
            steps,
            expected,
            other: Vec::new(),
        }
    }

    /// Nothing was said before the steps.
    pub(crate) fn without_handshake(mut self) -> Self {
        self.handshake = false;
        self
    }

    /// What every server here does instead, because h2 does.
    pub(crate) fn h2(self, outcome: Outcome, verdict: Verdict) -> Self {
        self.unless(|_| true, outcome, verdict)
    }

    /// What some servers do instead.
    pub(crate) fn unless(
        mut self,
        servers: fn(Server) -> bool,
        outcome: Outcome,
        verdict: Verdict,
    ) -> Self {
        assert_ne!(outcome, self.expected, "{} deviates from nothing", self.id);
        self.other.push(Other {
            servers,
            outcome,
            verdict,
        });
        self
    }

    pub(crate) fn expected(&self, server: Server) -> (&Outcome, Option<Verdict>) {
        match self.other.iter().find(|other| (other.servers)(server)) {
            Some(other) => (&other.outcome, Some(other.verdict)),
            None => (&self.expected, None),
        }
    }
}
