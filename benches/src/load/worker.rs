//! A connection's task: sends what is due, settles what has come, and opens the connection again.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::yield_now,
    time::{sleep, sleep_until},
};

use super::{
    connection::{Connection, Pending, Woken},
    drive::Phase,
    outcome::Outcome,
    plan::{Pace, Plan},
    wire::Events,
};

/// The task of a connection in one phase.
pub(super) struct Worker {
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
    pub(super) fn new(
        phase: &Arc<Phase>,
        plan: &Arc<Plan>,
        seen: &Rc<RefCell<Outcome>>,
        buffer: &Rc<RefCell<Vec<u8>>>,
        connection: Connection,
    ) -> Self {
        Self {
            phase: Arc::clone(phase),
            plan: Arc::clone(plan),
            seen: Rc::clone(seen),
            buffer: Rc::clone(buffer),
            connection,
            retries: VecDeque::new(),
            next_due: None,
            asked: 0,
        }
    }

    /// Works until the phase is over and nothing is under way; the connection stays open.
    pub(super) async fn run(mut self) -> Result<Connection, String> {
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
            Some(due) if self.phase.end.is_some_and(|end| due < end) => self.phase.take_late(),
            _ => self.phase.take(),
        }
    }

    /// Writes what there is, and waits for something to read, room to write more, or the time.
    async fn wait(&mut self, due: Option<Instant>) -> Result<Woken, String> {
        tokio::select! {
            biased;
            woken = self.connection.exchange(&self.buffer) => woken,
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
                    self.phase.fail(1);
                    seen.wrong(fault);
                }
            }
        }
        for (tag, failure) in events.failures.drain(..) {
            self.connection.settle(tag);
            self.phase.fail(1);
            seen.wrong(failure);
        }
    }

    /// Counts all that was under way as failed, and goes on with a new connection.
    async fn fail(&mut self, error: &str) -> Result<(), String> {
        let lost = self.connection.abandon().len().max(1);
        self.phase.fail(lost as u64);
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
