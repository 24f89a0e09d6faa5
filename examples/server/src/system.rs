//! What the operating system says about this process; 0 where it does not say.

/// Open file descriptors.
pub(crate) fn open_descriptors() -> u64 {
    // The directory that is read has one, too.
    let count = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    count.saturating_sub(1) as u64
}

/// The most descriptors that may be open.
#[cfg(unix)]
pub(crate) fn descriptor_limit() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(0)
}

#[cfg(not(unix))]
pub(crate) fn descriptor_limit() -> u64 {
    0
}

/// Memory in use, in bytes.
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
