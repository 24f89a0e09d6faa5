//! What the operating system says about this process.

/// Memory in use, in bytes; 0 where the system does not say.
#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes() -> u64 {
    let pages = || {
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        text.split(' ').nth(1)?.parse::<u64>().ok()
    };
    pages().unwrap_or(0) * rustix::param::page_size() as u64
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn resident_bytes() -> u64 {
    0
}
