//! The form of an attack, and what became of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    routing::any,
};
use http_body_util::{BodyExt, StreamBody};
use tokio::io::DuplexStream;
use tower_flowctl::http2::{Http2Config, Http2Metrics, Reason};

use crate::{
    heap,
    raw::{Block, Connection, Frame, Server, code, kind},
};

/// How an attack ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server let it happen.
    Endured,
    /// GOAWAY with this code and reason, and the connection is closed.
    GoAway(u32, String),
    /// The connection is closed without GOAWAY.
    Closed,
}

impl End {
    pub(crate) fn calm(reason: &str) -> Self {
        Self::GoAway(code::ENHANCE_YOUR_CALM, reason.to_owned())
    }
}

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static [(u16, u32)],
    /// Sent once, before.
    pub(crate) first: Vec<Frame>,
    /// What is sent in each round, in one write.
    pub(crate) round: fn(u32) -> Vec<Frame>,
    pub(crate) rounds: u32,
    /// The time from one round to the next.
    pub(crate) pause: Duration,
    /// Whether the client reads what the server says.
    pub(crate) reads: bool,
    pub(crate) hyper: Expected,
    /// What this crate does instead, and the reason that its counters give.
    pub(crate) ours: Option<(Expected, Reason)>,
}

/// How an attack is to end.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) end: End,
    /// Frames that were sent by then, at most.
    pub(crate) frames: usize,
    /// The most bytes the connection may come to hold.
    pub(crate) memory: i64,
}

/// A client that reads, and sends a round each millisecond.
pub(crate) fn flood(name: &'static str, rounds: u32, round: fn(u32) -> Vec<Frame>) -> Attack {
    Attack {
        name,
        settings: &[],
        first: Vec::new(),
        round,
        rounds,
        pause: Duration::from_millis(1),
        reads: true,
        hyper: Expected {
            end: End::Endured,
            frames: usize::MAX,
            memory: 256 << 10,
        },
        ours: None,
    }
}

impl Attack {
    pub(crate) fn after(mut self, first: impl IntoIterator<Item = Frame>) -> Self {
        self.first.extend(first);
        self
    }

    pub(crate) fn with(mut self, settings: &'static [(u16, u32)]) -> Self {
        self.settings = settings;
        self
    }

    pub(crate) fn without_reading(mut self) -> Self {
        self.reads = false;
        self
    }

    pub(crate) fn every(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The most bytes the connection may come to hold.
    pub(crate) fn holding(mut self, bytes: i64) -> Self {
        self.hyper.memory = bytes;
        self
    }

    /// How hyper ends it.
    pub(crate) fn stopped(mut self, end: End, frames: usize) -> Self {
        self.hyper.end = end;
        self.hyper.frames = frames;
        self
    }

    /// How this crate ends it, and for what. To be called after what is said of hyper.
    pub(crate) fn ours(mut self, reason: Reason, frames: usize) -> Self {
        let expected = Expected {
            end: End::GoAway(reason.code(), reason.name().to_owned()),
            frames,
            memory: self.hyper.memory,
        };
        self.ours = Some((expected, reason));
        self
    }

    /// The same without a word, since nobody would read it, and with so many bytes at most.
    pub(crate) fn ours_cut(mut self, reason: Reason, frames: usize, memory: i64) -> Self {
        let expected = Expected {
            end: End::Closed,
            frames,
            memory,
        };
        self.ours = Some((expected, reason));
        self
    }

    /// How a server is to end it, and the reason that is to be counted.
    pub(crate) fn expected(&self, server: Server) -> (&Expected, Option<Reason>) {
        match &self.ours {
            Some((ours, reason)) if server.is_ours() => (ours, Some(*reason)),
            _ => (&self.hyper, None),
        }
    }
}

/// What became of an attack.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) end: End,
    /// Frames sent when it ended.
    pub(crate) frames: usize,
    /// Frames that came back.
    pub(crate) answers: usize,
    /// Handlers that were started.
    pub(crate) handlers: usize,
    /// The reason by which the connection was counted as closed.
    pub(crate) counted: Option<Reason>,
    /// The most bytes held above what two idle connections hold.
    pub(crate) peak: i64,
    /// Bytes held above that when the attacker has gone.
    pub(crate) left: i64,
}

/// Bytes of a piece of a large response, and how many there are.
pub(crate) const PIECE: usize = 16 << 10;
const PIECES: usize = 64;

fn app(handlers: Arc<AtomicUsize>) -> Router {
    Router::new()
        .route("/hold", any(std::future::pending::<()>))
        .route(
            "/read",
            any(|request: Request| async {
                let mut body = request.into_body();
                while let Some(Ok(_)) = body.frame().await {}
                "read"
            }),
        )
        .route(
            "/large",
            any(|| async {
                let pieces = (0..PIECES).map(|_| {
                    Ok::<_, std::convert::Infallible>(http_body::Frame::data(Bytes::from(
                        vec![b'x'; PIECE],
                    )))
                });
                Body::new(StreamBody::new(futures_util::stream::iter(pieces)))
            }),
        )
        .layer(axum::middleware::map_request(move |request: Request| {
            handlers.fetch_add(1, Ordering::Relaxed);
            std::future::ready(request)
        }))
        // Those above are the attackers'; this one is not counted.
        .route("/", any(|| async { "hello" }))
}

/// Runs the attack in a runtime of its own. Panics if the server does not serve another connection all along.
pub(crate) fn run(attack: &Attack, server: Server) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(assault(attack, server))
}

async fn assault(attack: &Attack, server: Server) -> Report {
    let handlers = Arc::new(AtomicUsize::new(0));
    let metrics = Arc::<Http2Metrics>::default();
    let config = Http2Config::default().metrics(metrics.clone());
    let dialer = server.start_with(app(handlers.clone()), config);
    let mut bystander = Connection::open(dialer.connect(), &[]).await;
    let mut attacker = Connection::open(dialer.connect(), attack.settings).await;
    let served = |stream: u32| Frame::headers(stream, Block::get("/")).end_stream();
    bystander.send([served(1)]).await.unwrap();
    assert_eq!(bystander.response(1).await, (200, 5));
    heap::restart();
    let before = heap::live();

    let (mut frames, mut answers) = (0, 0);
    let mut end = None;
    let mut say = attack.first.clone();
    for round in 0..attack.rounds {
        say.extend((attack.round)(round));
        let more = say.len();
        frames += more;
        let goes_on = if attack.reads {
            let sent = attacker.send(say.drain(..)).await;
            end = listen(&mut attacker, attack.pause, &mut answers).await;
            end.is_none() && sent.is_ok()
        } else {
            let sent = attacker.send_only(say.drain(..)).await;
            tokio::time::sleep(attack.pause).await;
            sent
        };
        if !goes_on {
            break;
        }
        if round == attack.rounds / 2 {
            bystander.send([served(3)]).await.unwrap();
            assert_eq!(bystander.response(3).await, (200, 5), "{}", attack.name);
        }
    }
    // Before a client that did not read looks what there is, which may be more than it should have been.
    let peak = heap::peak() - before;
    if end.is_none() {
        end = listen(&mut attacker, Duration::from_millis(1), &mut answers).await;
    }
    bystander.send([served(5)]).await.unwrap();
    assert_eq!(bystander.response(5).await, (200, 5), "{}", attack.name);
    let started = handlers.load(Ordering::Relaxed);

    let snapshot = metrics.snapshot();
    let closed = |reason: &Reason| snapshot.closed(*reason) == 1;
    let counted = Reason::ALL.into_iter().find(closed);

    drop(attacker);
    tokio::time::sleep(Duration::from_secs(1)).await;
    Report {
        end: end.unwrap_or(End::Endured),
        frames,
        answers,
        handlers: started,
        counted,
        peak,
        left: heap::live() - before,
    }
}

/// Reads for some time. Says how the server ended it, if it did.
async fn listen(
    attacker: &mut Connection<DuplexStream>,
    time: Duration,
    answers: &mut usize,
) -> Option<End> {
    let mut said = None;
    loop {
        let next = tokio::time::timeout(time, attacker.next()).await;
        *answers += usize::from(matches!(next, Ok(Some(_))));
        match next {
            Ok(Some(frame)) if frame.kind == kind::GOAWAY => {
                said = Some(End::GoAway(frame.code(), frame.debug_data()));
            }
            Ok(Some(_)) => {}
            Ok(None) => return Some(said.unwrap_or(End::Closed)),
            // GOAWAY without the end is not the end.
            Err(_) => return None,
        }
    }
}
