//! How many descriptors the process may have and has.

/// Who has no descriptors left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// The process, which has as many as it may.
    Process,
    /// The system. The process may have few.
    System,
}

impl Short {
    /// The open descriptors where none is left to count with; `None` if that says nothing.
    pub(crate) fn used(self) -> Option<u32> {
        match self {
            Self::Process => limit(),
            Self::System => None,
        }
    }
}

/// The soft `RLIMIT_NOFILE`; `None` if there is none.
pub(crate) fn limit() -> Option<u32> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        let limit = getrlimit(Resource::Nofile).current?;
        Some(u32::try_from(limit).unwrap_or(u32::MAX))
    }
    #[cfg(not(unix))]
    None
}

/// The open descriptors; `None` where the system does not say.
pub(crate) fn used() -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        // Since Linux 6.2 the size of this directory is the number of its entries; before, it is zero.
        let size = std::fs::metadata("/proc/self/fd").ok()?.len();
        if size > 0 {
            return Some(u32::try_from(size).unwrap_or(u32::MAX));
        }
    }
    walk()
}

#[cfg(unix)]
fn walk() -> Option<u32> {
    let entries = std::fs::read_dir("/dev/fd").ok()?.count();
    // The walk's own descriptor is among them.
    Some(u32::try_from(entries).unwrap_or(u32::MAX).saturating_sub(1))
}

#[cfg(not(unix))]
fn walk() -> Option<u32> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_size_agrees_with_a_walk() {
        // Other tests open and close descriptors meanwhile: agree in one of many tries.
        assert!((0..1000).any(|_| used() == walk()));
        assert!(used() <= limit().or(Some(u32::MAX)));
    }

    #[test]
    fn a_system_without_descriptors_does_not_say_that_all_are_ours() {
        assert_eq!(Short::System.used(), None);
        assert_eq!(Short::Process.used(), limit());
    }
}
