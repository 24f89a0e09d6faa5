//! Of the scheduler alone; the order on the wire is in `tests/order.rs`.

use proptest::prelude::*;

use super::*;

const PIECE: usize = 16 << 10;

/// Grants, by slot, while all of these have more than there is room for.
fn grants(priorities: &[PriorityOverride], count: usize) -> Vec<u32> {
    let mut scheduler = Scheduler::default();
    scheduler.set_pace(PIECE, PIECE);
    scheduler.set_initial_window(i32::MAX as u32);
    scheduler.window_grows(0, i32::MAX as u32 - 65_535);
    scheduler.without_tree();
    let mut granted = Vec::new();
    let handles: Vec<Handle> = (0u32..)
        .zip(priorities)
        .map(|(n, &priority)| {
            let handle = scheduler.open(2 * n + 1, None).unwrap();
            scheduler.requested(handle, priority);
            handle
        })
        .collect();
    let mut ask = |scheduler: &mut Scheduler, handle: Handle| {
        // Whoever was served asks again at once.
        while let Answer::Grant(bytes) = scheduler.request(handle, 1 << 20) {
            granted.push(handle.slot);
            scheduler.sent(handle.id, bytes);
            if granted.len() >= count {
                return true;
            }
        }
        false
    };
    // The first finds nobody before it, so it takes one piece and waits for the others.
    for &handle in &handles[1..] {
        scheduler.set_pace(0, PIECE);
        assert!(!ask(&mut scheduler, handle));
    }
    scheduler.set_pace(PIECE, PIECE);
    let mut next = handles[0];
    loop {
        // A window of this kind is 80,000 pieces long, and is opened again in time.
        scheduler.window_grows(0, PIECE as u32);
        scheduler.window_grows(next.id, PIECE as u32);
        if ask(&mut scheduler, next) {
            return granted;
        }
        let slot = scheduler.next().expect("somebody waits");
        next = handles[slot as usize];
    }
}

proptest! {
    #[test]
    fn everybody_gets_a_grant_within_the_bound(
        priorities in prop::collection::vec((0u8..8, any::<bool>()), 2..24),
    ) {
        let priorities: Vec<_> = priorities
            .into_iter()
            .map(|(urgency, incremental)| {
                PriorityOverride::new().urgency(urgency).incremental(incremental)
            })
            .collect();
        let bound = GUARD as usize * (priorities.len() + 1);
        let granted = grants(&priorities, 4 * bound);
        for (start, window) in granted.windows(bound).enumerate() {
            for slot in 0..priorities.len() as u32 {
                prop_assert!(
                    window.contains(&slot),
                    "{:?} got nothing in {} grants from {}",
                    priorities[slot as usize],
                    bound,
                    start
                );
            }
        }
    }
}

#[test]
fn the_urgent_get_all_but_every_sixteenth() {
    let urgent = PriorityOverride::new().urgency(0);
    let background = PriorityOverride::new().urgency(7);
    let granted = grants(&[urgent, background], 1_600);
    let share = granted.iter().filter(|&&slot| slot == 1).count();
    assert!((90..=110).contains(&share), "{share} of 1600");
}
