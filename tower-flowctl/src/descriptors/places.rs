//! Places in the kernel's table of descriptors, made before there are connections to fill them.
//!
//! Linux keeps a process's descriptors in an array of 64 places that it doubles when the next descriptor has none, up to the limit.
//! In a process of one thread that is a copy. In one with several, accept(2) sleeps until no other core can still be reading the
//! old array (`expand_fdtable` waits for an RCU grace period): 5 to 30 ms in which a thread that serves connections serves nobody,
//! at the 64th, 128th, 256th, … of a burst. The array never shrinks, so whoever makes it long once has it for good.

#[cfg(unix)]
use std::{fs::File, os::fd::RawFd};

/// Has the table hold so many descriptors. What the system does not let the process have is left to be made when it does.
#[cfg(unix)]
pub(crate) fn prepare(descriptors: u32) {
    let Some(last) = descriptors
        .checked_sub(1)
        .and_then(|last| RawFd::try_from(last).ok())
    else {
        return;
    };
    if let Ok(file) = File::open("/dev/null") {
        // The copy has the number `last` or, if that is taken, one above; it is closed at once.
        drop(rustix::io::fcntl_dupfd_cloexec(&file, last));
    }
}

/// Elsewhere descriptors are not numbers of an array.
#[cfg(not(unix))]
pub(crate) fn prepare(_: u32) {}
