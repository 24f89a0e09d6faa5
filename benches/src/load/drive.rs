//! Connections at work: what is due is sent, what comes is read, and both are timed.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    runtime,
    task::{JoinSet, LocalSet, yield_now},
    time::{sleep, sleep_until, timeout},
};

use super::{
    http1::Http1,
    http2::Http2,
    outcome::Outcome,
    plan::{Ask, Pace, Plan, Protocol, Span},
    wire::{Events, Wire},
};

/// A server that fails this often is not asked further.
const MOST_ERRORS: u64 = 1_000;
/// What is read at once.
const BUFFER: usize = 256 << 10;

/// What all connections of a phase share.
#[derive(Debug)]
pub(super) struct Phase {
    start: Instant,
    end: Option<Instant>,
    requests: u64,
    taken: AtomicU64,
    failed: AtomicU64,
}

impl Phase {
    pub(super) fn new(span: Span) -> Arc<Self> {
        let start = Instant::now();
        let (end, requests) = match span {
            Span::Requests(requests) => (None, requests),
            Span::Time(time) => (Some(start + time), u64::MAX),
        };
        Arc::new(Self {
            start,
            end,
            requests,
            taken: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// The number of the next request, if there is one.
    fn take(&self) -> Option<u64> {
        let over = self.end.is_some_and(|end| Instant::now() >= end);
        if over || self.failed.load(Relaxed) >= MOST_ERRORS {
            return None;
        }
        let number = self.taken.fetch_add(1, Relaxed);
        (number < self.requests).then_some(number)
    }
}

/// The connections of one thread, with the runtime they live in.
pub(super) struct Thread {
    runtime: runtime::Runtime,
    plan: Arc<Plan>,
    connections: Vec<Connection>,
}

impl Thread {
    /// Opens the connections numbered `mine`.
    pub(super) fn open(plan: &Arc<Plan>, mine: Vec<usize>) -> Result<Self, String> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| format!("tokio's runtime does not start: {e}"))?;
        let connections = runtime.block_on(async {
            let mut connections = Vec::new();
            for number in mine {
                connections.push(Connection::open(plan, number).await?);
            }
            Ok::<_, String>(connections)
        })?;
        Ok(Self {
            runtime,
            plan: Arc::clone(plan),
            connections,
        })
    }

    /// Runs a phase to its end; the connections stay open.
    pub(super) fn run(&mut self, phase: &Arc<Phase>) -> Result<Outcome, String> {
        let seen = Rc::new(RefCell::new(Outcome::new(self.plan.asks.len())?));
        let buffer = Rc::new(RefCell::new(vec![0; BUFFER]));
        let local = LocalSet::new();
        let connections = std::mem::take(&mut self.connections);
        let back = local.block_on(&self.runtime, async {
            let mut tasks = JoinSet::new();
            for connection in connections {
                let worker = Worker {
                    phase: Arc::clone(phase),
                    plan: Arc::clone(&self.plan),
                    seen: Rc::clone(&seen),
                    buffer: Rc::clone(&buffer),
                    connection,
                    retries: VecDeque::new(),
                    next_due: None,
                    asked: 0,
                };
                tasks.spawn_local(worker.run());
            }
            let mut back = Vec::new();
            while let Some(done) = tasks.join_next().await {
                back.push(done.map_err(|e| format!("a connection's task died: {e}"))??);
            }
            Ok::<_, String>(back)
        })?;
        self.connections = back;
        let seen = seen.borrow().clone();
        Ok(seen)
    }
}

/// A request that is under way, or waits to be sent again.
#[derive(Debug, Clone, Copy)]
struct Pending {
    ask: usize,
    due: Instant,
    sent: Instant,
}

struct Connection {
    number: usize,
    stream: TcpStream,
    wire: Box<dyn Wire + Send>,
    out: Vec<u8>,
    /// By tag; a free slot is none.
    pending: Vec<Option<Pending>>,
    in_flight: usize,
}

impl Connection {
    async fn open(plan: &Plan, number: usize) -> Result<Self, String> {
        let connecting = TcpStream::connect(plan.address);
        let stream = timeout(plan.deadline, connecting)
            .await
            .map_err(|_| format!("connecting to {}: no answer", plan.address))?
            .map_err(|e| format!("connecting to {}: {e}", plan.address))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let mut wire: Box<dyn Wire + Send> = match plan.protocol {
            Protocol::Http1 => Box::new(Http1::new(&plan.host)),
            Protocol::Http2 => Box::new(Http2::new(&plan.host)),
        };
        let mut out = Vec::new();
        wire.open(&mut out);
        Ok(Self {
            number,
            stream,
            wire,
            out,
            pending: vec![None; plan.in_flight],
            in_flight: 0,
        })
    }

    fn send(&mut self, mut pending: Pending, asks: &[Ask]) {
        let free = self.pending.iter().position(Option::is_none);
        let tag = free.expect("the caller leaves a slot free");
        pending.sent = Instant::now();
        self.wire.send(tag, &asks[pending.ask], &mut self.out);
        self.pending[tag] = Some(pending);
        self.in_flight += 1;
    }

    fn settle(&mut self, tag: usize) -> Option<Pending> {
        let pending = self.pending[tag].take()?;
        self.in_flight -= 1;
        Some(pending)
    }

    /// Takes all that are under way off the connection.
    fn abandon(&mut self) -> Vec<Pending> {
        self.in_flight = 0;
        self.pending.iter_mut().filter_map(Option::take).collect()
    }
}

/// What ended a wait.
enum Woken {
    Read(usize),
    Closed,
    Other,
}

struct Worker {
    phase: Arc<Phase>,
    plan: Arc<Plan>,
    seen: Rc<RefCell<Outcome>>,
    buffer: Rc<RefCell<Vec<u8>>>,
    connection: Connection,
    /// Taken off a connection that the server closed before it answered them.
    retries: VecDeque<Pending>,
    /// When this connection's next request is due, at a constant rate.
    next_due: Option<Instant>,
    /// Requests of this connection so far.
    asked: usize,
}

impl Worker {
    async fn run(mut self) -> Result<Connection, String> {
        if let Some(interval) = self.interval() {
            // Connections take turns within an interval.
            let share = self.connection.number as f64 / self.plan.connections as f64;
            self.next_due = Some(self.phase.start + interval.mul_f64(share));
        }
        let mut events = Events::default();
        loop {
            if self.connection.in_flight == 0 && !self.connection.wire.takes_more(0) {
                self.reopen().await?;
            }
            let due_later = self.fill();
            if self.connection.in_flight == 0 && due_later.is_none() && self.retries.is_empty() {
                return Ok(self.connection);
            }
            match self.wait(due_later).await {
                Ok(Woken::Read(length)) => {
                    let Connection { wire, out, .. } = &mut self.connection;
                    let read = wire.receive(&self.buffer.borrow()[..length], out, &mut events);
                    self.settle(&mut events);
                    if let Err(error) = read {
                        self.fail(&error).await?;
                    }
                }
                Ok(Woken::Closed) => {
                    let closed = self.connection.wire.closed(&mut events);
                    self.settle(&mut events);
                    match closed {
                        Ok(()) => self.reopen().await?,
                        Err(error) => self.fail(&error).await?,
                    }
                }
                Ok(Woken::Other) => {}
                Err(error) => self.fail(&error).await?,
            }
        }
    }

    /// The time between two requests of one connection.
    fn interval(&self) -> Option<Duration> {
        match self.plan.pace {
            Pace::Closed => None,
            Pace::Constant { per_second } => {
                let seconds = self.plan.connections as f64 / per_second;
                Some(Duration::from_secs_f64(seconds))
            }
        }
    }

    /// Sends what may be sent now. When nothing is left to send before some time, that time.
    fn fill(&mut self) -> Option<Instant> {
        loop {
            let connection = &self.connection;
            let room = connection.in_flight < self.plan.in_flight
                && connection.wire.takes_more(connection.in_flight);
            if !room {
                return None;
            }
            if let Some(again) = self.retries.pop_front() {
                self.connection.send(again, &self.plan.asks);
                continue;
            }
            let now = Instant::now();
            if let Some(due) = self.next_due
                && due > now
            {
                if self.phase.end.is_some_and(|end| due >= end) {
                    self.next_due = None;
                    return None;
                }
                return Some(due);
            }
            if self.plan.pace != Pace::Closed && self.next_due.is_none() {
                return None;
            }
            if self.take().is_none() {
                self.next_due = None;
                return None;
            }
            // By this connection's own count: connections that take turns at a constant rate have numbers of the whole
            // load at fixed distances, and would never come to some of what is to be asked.
            let ask = (self.asked + self.connection.number) % self.plan.asks.len();
            self.asked += 1;
            let due = self.next_due.unwrap_or(now);
            self.next_due = self.interval().map(|interval| due + interval);
            let pending = Pending {
                ask,
                due,
                sent: now,
            };
            self.connection.send(pending, &self.plan.asks);
        }
    }

    /// At a constant rate whatever was due before the end is still sent, late as it may be: those are the requests
    /// that a closed loop would leave out.
    fn take(&self) -> Option<u64> {
        match self.next_due {
            Some(due) if self.phase.end.is_some_and(|end| due < end) => {
                let failing = self.phase.failed.load(Relaxed) >= MOST_ERRORS;
                (!failing).then(|| self.phase.taken.fetch_add(1, Relaxed))
            }
            _ => self.phase.take(),
        }
    }

    /// Writes what there is, and waits for something to read, room to write more, or the time.
    async fn wait(&mut self, due: Option<Instant>) -> Result<Woken, String> {
        let Connection { stream, out, .. } = &mut self.connection;
        tokio::select! {
            biased;
            woken = exchange(stream, out, &self.buffer) => woken,
            () = pause(due, self.plan.deadline) => match due {
                Some(_) => Ok(Woken::Other),
                None => Err(format!("no answer within {:?}", self.plan.deadline)),
            },
        }
    }

    fn settle(&mut self, events: &mut Events) {
        let now = Instant::now();
        let mut seen = self.seen.borrow_mut();
        for answer in events.answers.drain(..) {
            let Some(pending) = self.connection.settle(answer.tag) else {
                continue;
            };
            let ask = &self.plan.asks[pending.ask];
            if ask.refusal == Some(answer.status) {
                seen.refused += 1;
                continue;
            }
            match ask.fault(answer.status, answer.length) {
                None => {
                    let (waited, served) = (now - pending.due, now - pending.sent);
                    seen.right(pending.ask, answer.length, waited, served);
                }
                Some(fault) => {
                    self.phase.failed.fetch_add(1, Relaxed);
                    seen.wrong(fault);
                }
            }
        }
        for (tag, failure) in events.failures.drain(..) {
            self.connection.settle(tag);
            self.phase.failed.fetch_add(1, Relaxed);
            seen.wrong(failure);
        }
    }

    /// Counts all that was under way as failed, and goes on with a new connection.
    async fn fail(&mut self, error: &str) -> Result<(), String> {
        let lost = self.connection.abandon().len().max(1);
        self.phase.failed.fetch_add(lost as u64, Relaxed);
        for _ in 0..lost {
            self.seen.borrow_mut().wrong(error.to_owned());
        }
        self.connection = Connection::open(&self.plan, self.connection.number).await?;
        Ok(())
    }

    /// The server closed as the protocol allows: what it had not answered is asked again.
    async fn reopen(&mut self) -> Result<(), String> {
        self.seen.borrow_mut().reconnects += 1;
        self.retries.extend(self.connection.abandon());
        self.connection = Connection::open(&self.plan, self.connection.number).await?;
        Ok(())
    }
}

/// Writes what there is while there is room, and returns when something has come.
async fn exchange(
    stream: &mut TcpStream,
    out: &mut Vec<u8>,
    buffer: &RefCell<Vec<u8>>,
) -> Result<Woken, String> {
    poll_fn(|context| {
        while !out.is_empty() {
            match Pin::new(&mut *stream).poll_write(context, out) {
                Poll::Ready(Ok(written)) => drop(out.drain(..written)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(format!("writing: {error}"))),
                Poll::Pending => break,
            }
        }
        // Not `try_read`, which asks once more in vain after every piece.
        let mut buffer = buffer.borrow_mut();
        let mut buffer = ReadBuf::new(&mut buffer);
        let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
        Poll::Ready(match (read, buffer.filled().len()) {
            (Err(error), _) => Err(format!("reading: {error}")),
            (Ok(()), 0) => Ok(Woken::Closed),
            (Ok(()), length) => Ok(Woken::Read(length)),
        })
    })
    .await
}

/// Waits until a request is due, or as long as an answer may take. Timers are only right to a millisecond, and being
/// late would count as the server's latency: the last stretch before a request is spent asking for the time.
async fn pause(due: Option<Instant>, deadline: Duration) {
    let Some(due) = due else {
        return sleep(deadline).await;
    };
    if let Some(before) = due.checked_sub(Duration::from_millis(2))
        && before > Instant::now()
    {
        sleep_until(before.into()).await;
    }
    while Instant::now() < due {
        yield_now().await;
    }
}
