//! The server's resident memory, from `/proc`.

use std::{
    fs,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::Shared;

/// Bytes the process holds resident; none without a process.
pub(super) fn of(pid: Option<u32>) -> Result<Option<u64>, String> {
    let Some(pid) = pid else { return Ok(None) };
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    let kib = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .split(' ')
                .next()?
                .parse::<u64>()
                .ok()
        })
        .ok_or_else(|| format!("{path} has no line `VmRSS:`"))?;
    Ok(Some(kib << 10))
}

/// Waits for the first tenth of the requests, when pools and caches are full, and reads the memory then.
pub(super) async fn watch(pid: Option<u32>, shared: Arc<Shared>) -> Option<u64> {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    loop {
        tick.tick().await;
        if shared.next.load(Relaxed) >= shared.total / 10 {
            return of(pid).ok().flatten();
        }
    }
}

/// Prints the three readings; returns the growth after the first tenth.
pub(super) fn report(before: Option<u64>, warm: Option<u64>, after: Option<u64>) -> Option<u64> {
    let (before, after) = (before?, after?);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let warm = warm.unwrap_or(before);
    println!(
        "resident memory MiB: {:.1} before, {:.1} after the first tenth, {:.1} at the end",
        mib(before),
        mib(warm),
        mib(after)
    );
    Some(after.saturating_sub(warm))
}
