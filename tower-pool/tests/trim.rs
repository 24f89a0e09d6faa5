//! The kernel's account of a trim; alone in its process, since it measures the process.
#![cfg(all(target_os = "linux", not(pool_loom)))]

use tower_pool::Pool;

const MIB: usize = 1 << 20;

/// The pages of this process that are in memory, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn a_trim_gives_memory_back_to_the_kernel() {
    let pool = Pool::new();
    let out: Vec<_> = (0..32)
        .map(|_| {
            let mut buffer = pool.try_acquire(MIB).unwrap();
            buffer.extend_from_slice(&vec![1; MIB]).unwrap();
            buffer
        })
        .collect();
    drop(out);
    let full = resident();
    assert_eq!(pool.trim_all(), 32 * MIB);
    let trimmed = resident();
    assert!(
        full - trimmed >= 28 * MIB,
        "resident {full} before and {trimmed} after the trim"
    );
}
