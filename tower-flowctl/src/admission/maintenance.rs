//! What is done ten times a second, whatever the load.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
};

use tokio::time::{MissedTickBehavior, interval};

use super::{Core, clock::TICK};
use crate::{
    descriptors::Inventory,
    reclaim::{Deadlines, check, relieve},
};

/// Ticks between two samples of the descriptors: half a second.
const SAMPLE: u32 = 5;

/// Keeps the clock, the deadlines, and the guard going, until nobody has the admission any more.
pub(crate) async fn run(core: Weak<Core>) {
    let mut beat = interval(TICK);
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut maintenance = Maintenance::default();
    loop {
        beat.tick().await;
        let Some(core) = core.upgrade() else { return };
        if let Some(unaccounted) = maintenance.tick(&core) {
            inspect(core, unaccounted).await;
        }
    }
}

#[derive(Default)]
struct Maintenance {
    next_sample: u32,
    next_leak_window: Option<u32>,
}

impl Maintenance {
    /// One beat; the number of unaccounted descriptors if they are to be listed.
    fn tick(&mut self, core: &Core) -> Option<usize> {
        let now = core.clock.advance();
        let limits = core.limits.load();
        let mut suspicious = None;
        if now >= self.next_sample {
            self.next_sample = now + SAMPLE;
            core.descriptors.sample(core.open());
            core.descriptors.judge(now, core.open());
            relieve(core, &limits);
            suspicious = self.leaks(core, now);
        }
        let scale = core.descriptors.pressure().deadline_scale();
        check(core, &Deadlines::new(&limits, scale), now);
        #[cfg(feature = "metrics")]
        core.publish();
        suspicious
    }

    fn leaks(&mut self, core: &Core, now: u32) -> Option<usize> {
        let window = core.descriptors.leak_window();
        let end = *self.next_leak_window.get_or_insert(now);
        if now < end {
            return None;
        }
        self.next_leak_window = Some(now + window);
        let unaccounted = core.descriptors.unaccounted(core.open());
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
    use tokio::time::Instant;

    use super::*;
    use crate::admission::Admission;

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
}
