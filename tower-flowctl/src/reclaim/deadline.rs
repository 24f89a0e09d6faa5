//! What a check finds: a connection that overstepped a deadline, or when to look again.

use std::time::Duration;

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
        let scaled = |deadline| ticks(part_of(deadline, scale));
        // What a deadline is counted from may have been at the end of its tick.
        let passed = |ticks: u32| ticks + 1;
        Self {
            handshake: limits.handshake.map(scaled).map(passed),
            header: limits.header.map(scaled).map(passed),
            idle: limits.idle.map(ticks).map(passed),
            rate: limits.rate,
            grace: ticks(limits.grace),
            close_grace: ticks(limits.close_grace),
            step: scaled(limits.first_check()),
        }
    }

    pub(crate) fn close_grace(&self) -> u32 {
        self.close_grace
    }

    /// Looks at a connection.
    pub(crate) fn look(&self, connection: &Shared, mark: &mut Mark, now: u32) -> Verdict {
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
        let is_closing = connection.is_closing();
        let is_busy = connection.is_busy();
        if let (Some(since), Some(limit)) = (connection.head_since(), self.header) {
            // Also where it was asked to end: half a head would hold that up for ever.
            if now < since + limit {
                until = until.min(since + limit);
            } else if is_busy {
                return Verdict::Reset(Cut::Header);
            } else if !is_closing {
                return Verdict::Close(Cut::Header);
            }
        }
        if is_closing {
            return self.closing(connection, mark, now, until);
        }
        if is_busy {
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
    fn closing(&self, connection: &Shared, mark: &mut Mark, now: u32, until: u32) -> Verdict {
        if connection.is_busy() {
            mark.closed = None;
            connection.seen_busy(now);
            return self.slow(connection, mark, now, until);
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

/// A part of a duration, which may be the longest there is.
pub(super) fn part_of(duration: Duration, part: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * part).unwrap_or(Duration::MAX)
}

fn ticks_a_second() -> u64 {
    u64::from(ticks(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Admission;

    #[test]
    fn bodies_are_held_to_the_rate_unless_they_may_wait() {
        let limits = Limits::none().rate(240, Duration::from_secs(1));
        let admission = Admission::builder().limits(limits.clone()).build().unwrap();
        let deadlines = Deadlines::new(&limits, 1.0);
        for patient in [false, true] {
            let place = admission.core().enter(0).take(None, &Default::default());
            let connection = place.shared();
            connection.set_established();
            connection.begin();
            connection.starve();
            if patient {
                crate::admission::Connection(connection.clone()).bodies_may_wait();
            }
            let mut mark = Mark::default();
            let first = deadlines.look(connection, &mut mark, 1);
            assert!(matches!(first, Verdict::Until(_)));
            let then = deadlines.look(connection, &mut mark, 100);
            assert_eq!(then == Verdict::Reset(Cut::SlowBody), !patient, "{then:?}");
        }
    }

    /// Nobody need know how long "for ever" may be.
    #[test]
    fn the_longest_deadlines_never_pass() {
        let most = Duration::MAX;
        let limits = Limits::new()
            .handshake(most)
            .header(most)
            .idle(most)
            .rate(240, most)
            .close_grace(most)
            .reclaim_after(most);
        let admission = Admission::builder().limits(limits.clone()).build().unwrap();
        let place = admission.core().enter(0).take(None, &Default::default());
        let connection = place.shared();
        connection.on_read(1);
        for scale in [1.0, 0.25] {
            let deadlines = Deadlines::new(&limits, scale);
            let mut mark = Mark::default();
            for now in [1, 1 << 20] {
                let verdict = deadlines.look(connection, &mut mark, now);
                assert!(matches!(verdict, Verdict::Until(_)), "{verdict:?}");
            }
        }
        assert_eq!(part_of(most, 1.0), most);
        assert_eq!(
            part_of(Duration::from_secs(4), 0.25),
            Duration::from_secs(1)
        );
    }
}
