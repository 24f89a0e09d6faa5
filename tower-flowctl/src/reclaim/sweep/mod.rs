//! The two walks over the table. Both take the lock for a bounded number of steps at a time.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    deadline::{Deadlines, Verdict, part_of},
    table::{Mark, Order},
};
use crate::{
    admission::{Core, Cut, Limits, Shared, TURN, ends_a_turn, ticks},
    descriptors::Pressure,
};

/// Under pressure, a connection that was active less than this ago stays: its client is about to send.
const LEAST_SILENCE: Duration = Duration::from_millis(250);

/// A client that has just connected has so many ticks for its first byte, however many others want in.
const FIRST_BYTE: u32 = 10;

/// The steps under one lock, some tens of nanoseconds each.
const BATCH: usize = 256;

/// What a [`check`] did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    /// Connections it ended.
    pub(crate) ended: usize,
    /// Whether there are others to be looked at by now.
    pub(crate) more: bool,
}

/// Ends up to `may_end` connections that are past their deadline. It looks at so many only that nobody has to wait long for
/// the lock or the thread; the rest is for the next turn.
pub(crate) fn check(core: &Core, deadlines: &Deadlines, now: u32, may_end: usize) -> Checked {
    /// Some hundred microseconds.
    const BATCHES: usize = 8;
    let mut found: Vec<(Arc<Shared>, Verdict)> = Vec::new();
    let mut checked = Checked::default();
    for _ in 0..BATCHES {
        let rest = may_end - checked.ended;
        checked.more = check_batch(core, deadlines, now, rest, &mut found);
        checked.ended += found.len();
        // Wakers run foreign code: outside of the lock.
        for (connection, verdict) in found.drain(..) {
            match verdict {
                Verdict::Close(cut) => connection.close(cut),
                Verdict::Reset(cut) => _ = connection.reset(cut),
                Verdict::Until(_) => {}
            }
        }
        if !checked.more || checked.ended == may_end {
            break;
        }
    }
    checked
}

/// Whether there are more.
fn check_batch(
    core: &Core,
    deadlines: &Deadlines,
    now: u32,
    may_end: usize,
    found: &mut Vec<(Arc<Shared>, Verdict)>,
) -> bool {
    let mut table = core.table();
    for _ in 0..BATCH {
        let Some((_, index)) = table.first(Order::Check).filter(|(key, _)| *key <= now) else {
            return false;
        };
        if found.len() == may_end {
            return true;
        }
        let Some((connection, mark)) = table.get(index) else {
            return false;
        };
        let verdict = deadlines.look(connection, mark, now);
        let last = connection.idle_since();
        let closing = connection.is_closing();
        let next = match verdict {
            Verdict::Until(tick) => tick.max(now + 1),
            Verdict::Close(_) | Verdict::Reset(_) => {
                will_leave(core, connection, mark);
                found.push((Arc::clone(connection), verdict));
                now + deadlines.close_grace()
            }
        };
        table.put(Order::Check, index, next);
        if !closing && matches!(verdict, Verdict::Until(_)) {
            table.put(Order::Activity, index, last);
        } else {
            table.take(Order::Activity, index);
        }
    }
    true
}

/// Closes up to `want` connections that were silent for so long, longest idle first, and says how many.
fn reclaim(core: &Core, want: usize, silence: Silence) -> usize {
    let now = core.clock.now();
    let close_grace = ticks(core.limits.load().close_grace);
    let mut closed = 0;
    let mut met = Met::default();
    while closed < want {
        let more = reclaim_batch(core, want - closed, silence, close_grace, now, &mut met);
        closed += met.found.len();
        for connection in met.found.drain(..) {
            connection.close(Cut::Reclaimed);
        }
        if !more {
            break;
        }
    }
    if !met.kept.is_empty() && core.may_put_back(now) {
        put_back(core, &met.kept);
    }
    closed
}

/// Whom a [`reclaim`] has met.
#[derive(Default)]
struct Met {
    /// To be closed.
    found: Vec<Arc<Shared>>,
    /// Idle, and kept for their class, with their places in the table.
    kept: Vec<(u32, Arc<Shared>)>,
}

/// Those that were kept go back to where they belong: their class may grow, and then they are the longest idle. There may be as
/// many of them as places are reserved; where they are not put back they are out of the way until the next tick.
fn put_back(core: &Core, kept: &[(u32, Arc<Shared>)]) {
    for some in kept.chunks(BATCH) {
        let mut table = core.table();
        for (index, connection) in some {
            // The place may be another's by now, or the connection on its way out.
            let is_there = table
                .get(*index)
                .is_some_and(|(there, mark)| Arc::ptr_eq(there, connection) && !mark.leaving);
            if is_there && !connection.is_closing() {
                table.put(Order::Activity, *index, connection.idle_since());
            }
        }
    }
}

/// As [`reclaim`], a few at a time with pauses, so that active connections are not held up by hundreds that end at once.
pub(crate) async fn reclaim_in_turns(core: &Core, want: usize, silent: Duration) -> usize {
    let silence = Silence::of(silent);
    let mut closed = 0;
    while closed < want {
        let turn = ends_a_turn(core.descriptors.pressure()).min(want - closed);
        let count = reclaim(core, turn, silence);
        closed += count;
        if count < turn {
            break;
        }
        sleep(TURN).await;
    }
    closed
}

/// For how long a connection must have been silent to be reclaimed, in ticks.
#[derive(Clone, Copy, Debug)]
struct Silence {
    idle: u32,
    /// Without a byte yet.
    new: u32,
}

impl Silence {
    fn of(silent: Duration) -> Self {
        let idle = if silent.is_zero() { 0 } else { ticks(silent) };
        Self {
            idle,
            new: idle.max(FIRST_BYTE),
        }
    }
}

fn reclaim_batch(
    core: &Core,
    want: usize,
    silence: Silence,
    close_grace: u32,
    now: u32,
    met: &mut Met,
) -> bool {
    let latest = now.saturating_sub(silence.idle);
    let mut table = core.table();
    for _ in 0..BATCH {
        if met.found.len() == want {
            return false;
        }
        let Some((key, index)) = table
            .first(Order::Activity)
            .filter(|(key, _)| *key <= latest)
        else {
            return false;
        };
        let Some((connection, mark)) = table.get(index) else {
            return false;
        };
        let last = connection.idle_since();
        let is_new = connection.head_since().is_some() && now < last + silence.new;
        let is_busy = connection.is_busy();
        if is_busy {
            connection.seen_busy(now);
        }
        // A place within its class's reserve is nobody else's to have.
        let is_kept = core.classes[connection.class].is_within_reserve();
        if is_busy || is_new || is_kept {
            if !is_busy && !is_new {
                met.kept.push((index, Arc::clone(connection)));
            }
            // To be busy is to be active now. Behind `latest` it is out of the way of this walk.
            table.put(Order::Activity, index, now.max(latest + 1));
            continue;
        }
        if last > key {
            table.put(Order::Activity, index, last);
            continue;
        }
        will_leave(core, connection, mark);
        met.found.push(Arc::clone(connection));
        table.take(Order::Activity, index);
        table.put(Order::Check, index, now + close_grace);
    }
    true
}

/// It is open still, but its class is not to be left with no more than its reserve for that.
fn will_leave(core: &Core, connection: &Shared, mark: &mut Mark) {
    if !std::mem::replace(&mut mark.leaving, true) {
        core.classes[connection.class].will_leave();
    }
}

/// Has all connections looked at again soon, since the deadlines have changed.
pub(crate) fn recheck(core: &Core, now: u32) {
    loop {
        let mut table = core.table();
        for _ in 0..BATCH {
            let Some((_, index)) = table.last(Order::Check).filter(|(key, _)| *key > now + 1)
            else {
                return;
            };
            table.put(Order::Check, index, now + 1);
        }
    }
}

/// A newcomer found no descriptor: closes some of the longest idle at once, and says how many are on their way out.
pub(crate) fn make_room(core: &Core) -> usize {
    /// nginx's number, too: enough that not every newcomer has to ask, and few enough that a burst does not cost everybody
    /// else their connection.
    const AT_ONCE: u32 = 32;
    // Those of an earlier newcomer may not have run yet; only what they leave over is asked of others.
    let promised = core.promised();
    if promised > 0 {
        return promised as usize;
    }
    let want = core.descriptors.excess(core.open()).clamp(1, AT_ONCE) as usize;
    // However short its silence: the newcomer has a request for certain, the idle ones may never. Whoever came a moment ago and
    // has said nothing yet is spared, unless all are like that: a flood of such must not keep everybody out.
    let silence = Silence {
        idle: 0,
        new: if core.is_crowded() { 2 } else { FIRST_BYTE },
    };
    let count = reclaim(core, want, silence);
    if count == 0 {
        core.set_crowded();
    }
    core.promise(count as u32);
    count
}

/// What the pressure asks for until the next sample.
#[derive(Debug, Default)]
pub(crate) struct Relief {
    want: usize,
    silent: Duration,
}

/// What the pressure asks for, once a sample.
pub(crate) fn relief(core: &Core, limits: &Limits) -> Relief {
    let open = core.open();
    let silent = match core.descriptors.pressure() {
        Pressure::Normal => return Relief::default(),
        Pressure::High => {
            let severity = core.descriptors.severity(open);
            part_of(limits.reclaim_after, 1.0 - severity).max(LEAST_SILENCE)
        }
        Pressure::Critical => LEAST_SILENCE,
    };
    Relief {
        want: core.descriptors.excess(open) as usize,
        silent,
    }
}

impl Relief {
    /// Closes up to `may_end` connections; true if there are more.
    pub(crate) fn turn(&mut self, core: &Core, may_end: usize) -> bool {
        let turn = self.want.min(may_end);
        let count = reclaim(core, turn, Silence::of(self.silent));
        self.want = if count < turn { 0 } else { self.want - count };
        self.want > 0
    }
}

#[cfg(test)]
mod tests;
