//! The two walks over the table. Both take the lock for a bounded number of steps at a time.

use std::{sync::Arc, time::Duration};

use super::{
    deadline::{Deadlines, Verdict},
    table::Order,
};
use crate::{
    admission::{Core, Cut, Limits, Shared, ticks},
    descriptors::Pressure,
};

/// Under pressure, a connection that was active less than this ago stays: its client is about to send.
const LEAST_SILENCE: Duration = Duration::from_millis(250);

/// A client that has just connected has so many ticks for its first byte, however many others want in.
const FIRST_BYTE: u32 = 10;

/// The steps under one lock, some tens of nanoseconds each.
const BATCH: usize = 256;

/// Ends what is past its deadline.
pub(crate) fn check(core: &Core, deadlines: &Deadlines, now: u32) {
    let mut found: Vec<(Arc<Shared>, Verdict)> = Vec::new();
    loop {
        let more = check_batch(core, deadlines, now, &mut found);
        // Wakers run foreign code: outside of the lock.
        for (connection, verdict) in found.drain(..) {
            match verdict {
                Verdict::Close(cut) => connection.close(cut),
                Verdict::Reset(cut) => connection.reset(cut),
                Verdict::Until(_) => {}
            }
        }
        if !more {
            return;
        }
    }
}

fn check_batch(
    core: &Core,
    deadlines: &Deadlines,
    now: u32,
    found: &mut Vec<(Arc<Shared>, Verdict)>,
) -> bool {
    let mut table = core.table();
    for _ in 0..BATCH {
        let Some((_, index)) = table.first(Order::Check).filter(|(key, _)| *key <= now) else {
            return false;
        };
        let Some((connection, mark)) = table.get(index) else {
            return false;
        };
        let verdict = deadlines.look(connection, mark, now);
        let last = connection.last();
        let closing = connection.is_closing();
        let next = match verdict {
            Verdict::Until(tick) => tick.max(now + 1),
            Verdict::Close(_) | Verdict::Reset(_) => {
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
pub(crate) fn reclaim(core: &Core, want: usize, silent: Duration) -> usize {
    let now = core.clock.now();
    let silent = if silent.is_zero() { 0 } else { ticks(silent) };
    let close_grace = ticks(core.limits.load().close_grace);
    let mut closed = 0;
    let mut found = Vec::new();
    while closed < want {
        let more = reclaim_batch(core, want - closed, silent, close_grace, now, &mut found);
        closed += found.len();
        for connection in found.drain(..) {
            connection.close(Cut::Reclaimed);
        }
        if !more {
            break;
        }
    }
    closed
}

fn reclaim_batch(
    core: &Core,
    want: usize,
    silent: u32,
    close_grace: u32,
    now: u32,
    found: &mut Vec<Arc<Shared>>,
) -> bool {
    let latest = now.saturating_sub(silent);
    let mut table = core.table();
    for _ in 0..BATCH {
        if found.len() == want {
            return false;
        }
        let Some((key, index)) = table
            .first(Order::Activity)
            .filter(|(key, _)| *key <= latest)
        else {
            return false;
        };
        let Some((connection, _)) = table.get(index) else {
            return false;
        };
        let last = connection.last();
        let is_new = connection.head_since().is_some() && now < last + FIRST_BYTE;
        if connection.is_busy() || is_new {
            // To be busy is to be active now. Behind `latest` it is out of the way of this walk.
            table.put(Order::Activity, index, now.max(latest + 1));
            continue;
        }
        if last > key {
            table.put(Order::Activity, index, last);
            continue;
        }
        found.push(Arc::clone(connection));
        table.take(Order::Activity, index);
        table.put(Order::Check, index, now + close_grace);
    }
    true
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

/// A newcomer found no descriptor: closes some of the longest idle at once, and says how many.
pub(crate) fn make_room(core: &Core) -> usize {
    /// nginx's number, too: enough that not every newcomer has to ask, and few enough that a burst does not cost everybody
    /// else their connection.
    const AT_ONCE: u32 = 32;
    let want = core.descriptors.excess(core.open()).clamp(1, AT_ONCE);
    // However short its silence: the newcomer has a request for certain, the idle ones may never.
    reclaim(core, want as usize, Duration::ZERO)
}

/// What the pressure asks for, once a sample.
pub(crate) fn relieve(core: &Core, limits: &Limits) -> usize {
    let open = core.open();
    let silence = match core.descriptors.pressure() {
        Pressure::Normal => return 0,
        Pressure::High => {
            let severity = core.descriptors.severity(open);
            limits
                .reclaim_after
                .mul_f64(1.0 - severity)
                .max(LEAST_SILENCE)
        }
        Pressure::Critical => LEAST_SILENCE,
    };
    reclaim(core, core.descriptors.excess(open) as usize, silence)
}
