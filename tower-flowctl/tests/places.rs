//! The table of descriptors is long enough before the first connection. A program of its own: the table never shrinks, and other
//! tests would have made theirs.
#![cfg(all(feature = "admission", target_os = "linux"))]

use rustix::process::{Resource, getrlimit};
use tower_flowctl::{admission::Admission, descriptors::DescriptorGuard};

/// The places in the kernel's table (proc_pid_status(5)).
fn places() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("FDSize:"))
        .unwrap();
    size.trim().parse().unwrap()
}

#[test]
fn there_are_places_for_all_connections_before_the_first() {
    let build = |guard| Admission::builder().descriptors(guard).build().unwrap();
    let before = places();
    let _none = build(DescriptorGuard::new().places(0));
    assert_eq!(places(), before);
    let _some = build(DescriptorGuard::new().places(600));
    assert!(places() >= 600, "{}", places());
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let _default = build(DescriptorGuard::new());
    assert!(places() >= limit.min(1 << 16), "{} of {limit}", places());
}
