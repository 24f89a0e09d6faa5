//! What is done ten times a second, whatever the load, and what follows from it in small turns.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::{Core, clock::TICK};
use crate::{
    descriptors::{Inventory, Pressure},
    reclaim::{Deadlines, Relief, check, relief},
};

/// Ticks between two samples of the descriptors: half a second.
const SAMPLE: u32 = 5;

/// The pause between two turns, in which the connections that were ended run, and active ones beside them.
pub(crate) const TURN: Duration = Duration::from_millis(1);

/// Does it in the caller's task, unless somebody does it already.
pub(super) fn here(core: &Arc<Core>) -> impl Future<Output = ()> + Send + 'static + use<> {
    // Claimed at once, so that a future that is never polled lets go of it, too.
    let claim = claim(core, Then::GoOn);
    let core = Arc::downgrade(core);
    async move {
        if let Some(_claim) = claim {
            run(core).await;
        }
    }
}

/// Does it in a thread, unless somebody does it already, and whenever whoever did has stopped.
///
/// A thread of its own keeps time when all workers of the application compute, and spares their runtime a timer that it would
/// look at before every wait. It has no descriptors, and ends with the admission.
pub(super) fn ensure(core: &Arc<Core>) {
    core.need_maintenance();
    // A thread that cannot be had, or panics, is tried again by the next `accept`, and not at once for ever.
    let Some(claim) = claim(core, Then::Stop) else {
        return;
    };
    let core = Arc::downgrade(core);
    let maintain = move || {
        let _claim = claim;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        if let Ok(runtime) = runtime {
            runtime.block_on(run(core));
        }
    };
    let _ = std::thread::Builder::new()
        .name("flowctl".to_owned())
        .spawn(maintain);
}

fn claim(core: &Arc<Core>, then: Then) -> Option<Claim> {
    core.claim_maintenance().then(|| Claim {
        core: Arc::downgrade(core),
        then,
    })
}

/// What follows when whoever keeps the maintenance going stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// A thread goes on with it, if anybody but the one that stopped counts on it.
    GoOn,
    Stop,
}

/// To be the one who does it.
struct Claim {
    core: Weak<Core>,
    then: Then,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        if core.disclaim_maintenance() && self.then == Then::GoOn {
            ensure(&core);
        }
    }
}

/// Keeps the clock, the deadlines, and the guard going, until nobody has the admission any more.
async fn run(core: Weak<Core>) {
    let mut maintenance = Maintenance::default();
    let mut next_beat = Instant::now();
    loop {
        sleep_until(next_beat).await;
        let Some(core) = core.upgrade() else { return };
        next_beat = Instant::now() + TICK;
        if let Some(unaccounted) = maintenance.beat(&core) {
            inspect(Arc::clone(&core), unaccounted).await;
        }
        while maintenance.turn(&core) {
            let next_turn = Instant::now() + TURN;
            if next_turn >= next_beat {
                break;
            }
            sleep_until(next_turn).await;
        }
    }
}

/// How many connections may be ended in a turn. Each costs its runtime some tens of microseconds, and an active one that
/// becomes ready meanwhile waits for them all.
pub(crate) fn ends_a_turn(pressure: Pressure) -> usize {
    match pressure {
        Pressure::Normal => 4,
        Pressure::High => 8,
        Pressure::Critical => 32,
    }
}

#[derive(Default)]
struct Maintenance {
    next_sample: u32,
    next_leak_window: Option<u32>,
    relief: Relief,
}

impl Maintenance {
    /// One beat; the number of unaccounted descriptors if they are to be listed.
    fn beat(&mut self, core: &Core) -> Option<usize> {
        let now = core.clock.advance();
        core.forget_promises();
        let mut suspicious = None;
        if now >= self.next_sample {
            self.next_sample = now + SAMPLE;
            core.descriptors.sample(core.open());
            core.descriptors.judge(now, core.open());
            self.relief = relief(core, &core.limits.load());
            suspicious = self.leaks(core, now);
        }
        #[cfg(feature = "metrics")]
        core.publish();
        suspicious
    }

    /// Ends a few connections; true if there are more.
    fn turn(&mut self, core: &Core) -> bool {
        let pressure = core.descriptors.pressure();
        let deadlines = Deadlines::new(&core.limits.load(), pressure.deadline_scale());
        let may_end = ends_a_turn(pressure);
        let checked = check(core, &deadlines, core.clock.now(), may_end);
        let relieved = self
            .relief
            .turn(core, may_end.saturating_sub(checked.ended));
        checked.more || relieved
    }

    fn leaks(&mut self, core: &Core, now: u32) -> Option<usize> {
        let window = core.descriptors.leak_window();
        let end = *self.next_leak_window.get_or_insert(now);
        if now < end {
            return None;
        }
        self.next_leak_window = Some(now + window);
        let unaccounted = core.unaccounted();
        core.descriptors
            .leak_window_ended(unaccounted)
            .then_some(unaccounted)
    }
}

/// Lists the descriptors, on a thread that may block.
async fn inspect(core: Arc<Core>, unaccounted: usize) {
    let known: HashSet<i32> = core
        .table()
        .iter()
        .filter_map(|connection| connection.descriptor)
        .collect();
    let listed = tokio::task::spawn_blocking(move || Inventory::take(&known)).await;
    if let Ok(inventory) = listed {
        core.descriptors.inspect(unaccounted, inventory);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{
        admission::Admission,
        descriptors::{DescriptorGuard, LeakReport},
    };

    #[tokio::test(start_paused = true)]
    async fn ends_with_the_admission() {
        let admission = Admission::builder().build().unwrap();
        let task = tokio::spawn(run(Arc::downgrade(admission.core())));
        let begun = Instant::now();
        tokio::time::advance(TICK * 3).await;
        drop(admission);
        task.await.unwrap();
        assert!(begun.elapsed() <= TICK * 5);
    }
    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn a_leak_is_reported_within_two_windows_with_kind_and_count() {
        const WINDOW: Duration = Duration::from_secs(60);
        let reports: Arc<Mutex<Vec<LeakReport>>> = Arc::default();
        let told = Arc::clone(&reports);
        let guard = DescriptorGuard::new()
            .leak_window(WINDOW)
            .on_leak(move |report| told.lock().unwrap().push(report.clone()));
        let admission = Admission::builder().descriptors(guard).build().unwrap();
        tokio::spawn(run(Arc::downgrade(admission.core())));
        // The first window begins with the first beat. Other tests of this process open and close a few, too.
        tokio::time::sleep(TICK).await;
        let begun = Instant::now();
        let mut leaked = Vec::new();
        while begun.elapsed() < WINDOW * 2 {
            leaked.extend((0..20).map(|_| std::io::pipe().unwrap().0));
            tokio::time::sleep(WINDOW / 6).await;
        }
        let reports = reports.lock().unwrap();
        let report = reports.first().expect("a report within two windows");
        let pipes = report.kinds.iter().find(|kind| kind.kind == "pipe");
        let pipes = pipes.expect("of pipes");
        assert!(
            pipes.count >= 200 && pipes.grown >= 100,
            "{report} of {}",
            leaked.len()
        );
    }
}
