//! What a check finds: a connection that overstepped a deadline, or when to look again.

use super::table::Mark;
use crate::admission::{Cut, Limits, Shared, ticks};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well until this tick.
    Until(u32),
    /// It shall end when it is idle.
    Close(Cut),
    /// It shall end now.
    Reset(Cut),
}

/// The limits in ticks, shortened by the pressure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    handshake: Option<u32>,
    header: Option<u32>,
    idle: Option<u32>,
    rate: Option<u32>,
    grace: u32,
    close_grace: u32,
    step: u32,
}

impl Deadlines {
    /// `scale` is what is left of the deadlines of clients that have nothing to show yet, 1 without pressure.
    pub(crate) fn new(limits: &Limits, scale: f64) -> Self {
        let scaled = |deadline: std::time::Duration| ticks(deadline.mul_f64(scale));
        Self {
            handshake: limits.handshake.map(scaled),
            header: limits.header.map(scaled),
            idle: limits.idle.map(ticks),
            rate: limits.rate,
            grace: ticks(limits.grace),
            close_grace: ticks(limits.close_grace),
            step: ticks(limits.first_check().mul_f64(scale)),
        }
    }

    pub(crate) fn close_grace(&self) -> u32 {
        self.close_grace
    }

    /// Looks at a connection.
    pub(crate) fn look(&self, connection: &Shared, mark: &mut Mark, now: u32) -> Verdict {
        if connection.is_closing() {
            return self.closing(connection, mark, now);
        }
        let mut until = now + self.step;
        if !connection.is_established() {
            let accepted = connection.accepted();
            let waited_for = connection.is_shaking_hands();
            return match self.handshake {
                Some(limit) if waited_for && now >= accepted + limit => {
                    Verdict::Reset(Cut::Handshake)
                }
                Some(limit) if waited_for => Verdict::Until(until.min(accepted + limit)),
                _ => self.slow(connection, mark, now, until),
            };
        }
        if let (Some(since), Some(limit)) = (connection.head_since(), self.header) {
            if now >= since + limit {
                return if connection.is_busy() {
                    Verdict::Reset(Cut::Header)
                } else {
                    Verdict::Close(Cut::Header)
                };
            }
            until = until.min(since + limit);
        }
        if connection.is_busy() {
            connection.seen_busy(now);
        } else if let Some(limit) = self.idle {
            let since = connection.idle_since();
            if now >= since + limit {
                return Verdict::Close(Cut::Idle);
            }
            until = until.min(since + limit);
        }
        self.slow(connection, mark, now, until)
    }

    /// An idle connection that was asked to end has `close_grace` for it; a busy one ends with its requests, and only the
    /// rates bind it.
    fn closing(&self, connection: &Shared, mark: &mut Mark, now: u32) -> Verdict {
        if connection.is_busy() {
            mark.closed = None;
            connection.seen_busy(now);
            return self.slow(connection, mark, now, now + self.step);
        }
        let since = *mark.closed.get_or_insert(now);
        if now >= since + self.close_grace {
            Verdict::Reset(connection.reason())
        } else {
            Verdict::Until(since + self.close_grace)
        }
    }

    /// The rates: a client that is waited for is marked, and must have moved enough by the next check.
    fn slow(&self, connection: &Shared, mark: &mut Mark, now: u32, until: u32) -> Verdict {
        let Some(rate) = self.rate else {
            return Verdict::Until(until);
        };
        let sides = [
            (
                connection.is_blocked(),
                &mut mark.slow_reader,
                connection.written(),
                Cut::SlowRead,
            ),
            (
                connection.is_starving(),
                &mut mark.slow_body,
                connection.read(),
                Cut::SlowBody,
            ),
        ];
        let mut next = until;
        for (waited_for, mark, count, cut) in sides {
            if !waited_for {
                *mark = None;
                continue;
            }
            let (since, before) = *mark.get_or_insert((now, count));
            if now >= since + self.grace {
                let due = u64::from(rate) * u64::from(now - since) / ticks_a_second();
                if count - before < due {
                    return Verdict::Reset(cut);
                }
                *mark = Some((now, count));
                next = next.min(now + self.grace);
            } else {
                next = next.min(since + self.grace);
            }
        }
        Verdict::Until(next)
    }
}

fn ticks_a_second() -> u64 {
    u64::from(ticks(std::time::Duration::from_secs(1)))
}
