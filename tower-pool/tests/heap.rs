//! What was allocated beside a pool, and is given back with it; alone in its process, since it measures the process.
#![cfg(all(target_os = "linux", target_env = "gnu", not(pool_loom)))]

use std::time::Duration;

use tower_pool::{HeapTrim, Maintenance, Pool, PressureGauge};

const MIB: usize = 1 << 20;
const TICK: Duration = Duration::from_secs(5);

/// What of this process is in memory, in bytes (proc_pid_status(5)).
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<usize>().unwrap() << 10
}

/// Leaves about 32 MiB of the allocator's free, with something that stays at every 4 MiB and at the end.
fn leave_holes() -> Vec<Box<[u8]>> {
    let allocated = (0..4096).map(|_| vec![1; 8 << 10].into_boxed_slice());
    let (kept, dropped): (Vec<_>, Vec<_>) = allocated
        .enumerate()
        .partition(|(number, _)| number % 512 == 511);
    drop(dropped);
    kept.into_iter().map(|(_, kept)| kept).collect()
}

/// Uses 4 MiB of a pool, ticks until nothing is left of them, and says how often the heap was trimmed, and how much
/// less is resident then.
fn give_back(heap: HeapTrim) -> (usize, usize) {
    let pool = Pool::builder().limit(64 * MIB).build().unwrap();
    drop(
        (0..4)
            .map(|_| pool.try_acquire(MIB).unwrap())
            .collect::<Vec<_>>(),
    );
    let mut maintenance = Maintenance::new(pool.clone())
        .gauge(PressureGauge::off())
        .heap(heap);
    let kept = leave_holes();
    let before = resident();
    let trimmed = (0..120)
        .filter(|_| maintenance.tick(TICK).heap_trimmed)
        .count();
    assert_eq!(pool.stats().idle_bytes(), 0);
    let after = resident();
    drop(kept);
    (trimmed, before.saturating_sub(after))
}

#[test]
fn the_heap_is_trimmed_with_the_pool_where_that_is_asked_for() {
    let (trimmed, returned) = give_back(HeapTrim::Never);
    assert_eq!(trimmed, 0, "the heap was trimmed without being asked for");
    assert!(returned < 16 * MIB, "{returned} bytes were given back");
    let (trimmed, returned) = give_back(HeapTrim::WithPool);
    // At each halt of the trimming, not at every tick.
    assert!((1..=8).contains(&trimmed), "trimmed {trimmed} times");
    assert!(
        returned >= 28 * MIB,
        "only {returned} bytes were given back"
    );
}
